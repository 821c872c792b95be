/* Packets from FRONTEND ports that get no session. */

/* For packets that no service takes. They pass by default, because a VIP may be the address of a host as
 * well.
 */
static __always_inline action_t pass_or_reject(const struct packet *pkt) {
  __u32 zero = 0;
  struct settings *current = settings.lookup(&zero);
  if (!current || !current->reject_unserved) return ACTION_UNMATCHED;
  if (pkt->tuple.proto == PROTO_ICMP && pkt->icmp_type != ICMP_ECHO_REQUEST) return ACTION_UNMATCHED;
  if (!may_be_known_address(pkt->tuple.daddr) || !is_vip(pkt->tuple.daddr)) return ACTION_UNMATCHED;
  decided(PORT_NOT_SERVED);
  count_event(EVENT_REJECTED);
  return punt(REASON_REJECT);
}

static __always_inline action_t handle_not_opened(const struct packet *pkt, enum open_result outcome) {
  switch (outcome) {
    case NOT_A_SERVICE:
      return pass_or_reject(pkt);
    case TABLE_CHANGED:
      return drop(EVENT_DROP_TABLE_CHANGED);
    case NO_SOURCE_PORT:
      return drop(EVENT_DROP_SOURCE_PORTS);
    case SOURCE_REFUSED:
      return drop(EVENT_DROP_SOURCE_RANGE);
    case TABLE_BUSY:
      return drop(EVENT_TABLE_BUSY);
    case NO_BACKEND:
    default:
      count_event(EVENT_REJECTED);
      return punt(REASON_REJECT);
  }
}
