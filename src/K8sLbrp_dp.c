/*
 * The datapath of a cube: one program for both directions. Reading order: abi.h and maps.h (what it knows),
 * parse.h (what a packet is), select.h, session.h, retire.h and session_table.h (who gets it), rewrite.h,
 * fragments.h, icmp_error.h, arp.h (what becomes of it), the two sides, and handle_rx below, which puts them
 * together.
 */
#include "datapath/abi.h"
#include "datapath/maps.h"
#include "datapath/parse.h"
#include "datapath/support.h"
#include "datapath/action.h"
#include "datapath/select.h"
#include "datapath/session.h"
#include "datapath/retire.h"
#include "datapath/session_table.h"
#include "datapath/rewrite.h"
#include "datapath/fragments.h"
#include "datapath/icmp_error.h"
#include "datapath/arp.h"
#include "K8sLbrp_dp_frontend.c"
#include "K8sLbrp_dp_backend.c"

static __always_inline __u32 egress(const struct session *session, const struct port *in) {
  return in->side == SIDE_FRONTEND ? in->out : backend_egress(session, in);
}

/* `session` is what was found under `key`: null, or one that lives. */
static __always_inline action_t handle_flow(struct CTXTYPE *ctx, const struct packet *pkt,
                                            const struct port *in, __u16 in_index, struct session *session,
                                            const struct session_key *key, bool vacant, __u32 now) {
  struct session opened = {};
  if (session && may_take(session, pkt)) {
    refresh(session, key, pkt, now, in, in_index);
  } else {
    if (in->side == SIDE_BACKEND) return ACTION_UNMATCHED;
    struct session left = {};
    bool leaves = session && serves_both(session, key);
    if (leaves) left = *session; /* its memory may be used again as soon as it is replaced */
    enum opening outcome = open_session(pkt, in, in_index, now, vacant, &opened);
    if (outcome != OPENED) return not_opened(pkt, outcome);
    if (leaves) keep_answers(&left, &opened, pkt->tuple.proto);
    session = &opened;
  }
  struct translation to = translation_of(session, in->side);
  __u32 out = egress(session, in);
  if (pkt->first_fragment) remember_fragment(pkt, &to, out, now);
  return translate(ctx, pkt, &to) ? out : drop(EVENT_DROP_MALFORMED);
}

static __always_inline action_t handle_icmp_error(struct CTXTYPE *ctx, const struct packet *pkt,
                                                  const struct icmp_error *error, const struct port *in,
                                                  const struct session *session) {
  if (!session) return in->side == SIDE_FRONTEND ? frontend_icmp_error(error) : ACTION_UNMATCHED;
  struct translation to = translation_of(session, in->side);
  __u32 out = egress(session, in);
  return translate_icmp_error(ctx, pkt, error, &to) ? out : drop(EVENT_DROP_MALFORMED);
}

/* What may belong to a session: packets of a flow, and errors about them. */
static __always_inline action_t handle_session(struct CTXTYPE *ctx, const struct packet *pkt,
                                               const struct port *in, __u16 in_index, bool is_error) {
  struct tuple tuple = pkt->tuple;
  struct icmp_error error = {};
  if (is_error) {
    if (!parse_icmp_error(ctx, pkt, &error)) return ACTION_UNMATCHED;
    tuple = error.expected;
  }
  __u32 now = current_tick();
  struct flow flow = flow_of(&tuple);
  struct session_key key;
  struct session *session = find_entry(&flow, tuple.proto, in->side, &key);
  bool vacant = !session && key.side == SIDE_NONE;
  if (session && expired(session, tuple.proto, now)) session = 0;
  if (is_error) return handle_icmp_error(ctx, pkt, &error, in, session);
  return handle_flow(ctx, pkt, in, in_index, session, &key, vacant, now);
}

static __always_inline action_t handle_fragment(struct CTXTYPE *ctx, const struct packet *pkt,
                                                const struct port *in) {
  struct fragment *note = find_fragment(pkt, current_tick());
  if (!note) return in->side == SIDE_FRONTEND ? frontend_fragment(pkt) : ACTION_UNMATCHED;
  __u32 out = note->out;
  return translate_fragment(ctx, pkt, note) ? out : drop(EVENT_DROP_MALFORMED);
}

static __always_inline action_t decide(struct CTXTYPE *ctx, struct packet *pkt, const struct port *in,
                                       __u16 in_index) {
  bool from_frontend = in->side == SIDE_FRONTEND;
  enum packet_class class = parse(ctx, pkt);
  switch (class) {
    case PACKET_FLOW:
    case PACKET_ICMP_ERROR:
      return handle_session(ctx, pkt, in, in_index, class == PACKET_ICMP_ERROR);
    case PACKET_FRAGMENT:
      return handle_fragment(ctx, pkt, in);
    case PACKET_OTHER_IP:
      return ACTION_UNMATCHED;
    case PACKET_ARP:
      return from_frontend ? arp_from_frontend(ctx, pkt, in) : arp_from_backend(ctx, pkt, in);
    case PACKET_NOT_IP:
      return from_frontend || !in->multi ? in->out : punt(REASON_FLOOD);
    default:
      return drop(EVENT_DROP_MALFORMED);
  }
}

static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  __u32 index = md->in_port;
  struct port *in = ports.lookup(&index);
  if (!in || in->side == SIDE_NONE) return act(ctx, md, drop(EVENT_DROP_NO_PORT));

  struct packet pkt = {};
  pkt.tuple.side = in->side;
  action_t action = decide(ctx, &pkt, in, index);
  if (action == ACTION_UNMATCHED)
    action = in->side == SIDE_FRONTEND ? frontend_unmatched(&pkt, in) : backend_unmatched(ctx, &pkt, in);
  return act(ctx, md, action);
}
