/*
 * A FIFO of the clients of sessions that are over. Each push takes the place of the oldest, whose session is
 * removed if it still is over. So sessions make room at the rate at which they end, whether or not a
 * control plane runs. Each CPU has places of its own.
 */

#define STRAGGLER_TICKS 2 /* sessions seen in this tick or the last stay, for late packets */
#define RESET_TICKS 240   /* RFC 7857, section 2.2: time after an RST, which may have been forged */

/* Whether a session that gets this state goes into the FIFO. UDP and ICMP: after one answer it may be over.
 */
static __always_inline bool retires_in(__u8 state, __u8 proto) {
  if (state == SESSION_ANSWERED) return proto != PROTO_TCP; /* TCP: in the middle of the handshake */
  return state == SESSION_CLOSED || state == SESSION_RESET;
}

static __always_inline bool is_needed(const struct session *session, __u8 proto, __u32 now) {
  __s32 idle = now - session->last_seen;
  if (idle < STRAGGLER_TICKS || (is_reset(session->state) && idle < RESET_TICKS)) return true;
  if (retires_in(session->state, proto) || is_reset(session->state)) return false;
  return !expired(session, proto, now);
}

static __always_inline void remove_client(struct client_key *key) {
  if (!clients.delete(key)) count_change(CHANGE_CLIENT_REMOVED);
}

/* The entry may be another session's since. */
static __always_inline void remove_flow(struct flow_key tuple, const struct session *session) {
  if (is_entry_of(flows.lookup(&tuple), session)) flows.delete(&tuple);
}

/* For a session that is over, or may be. Others than those in `clients` take no turn: a flood makes them. */
static __always_inline void retire(const struct session *session, __u8 proto, __u32 now) {
  struct client_key newest = client_key_of_session(session, proto);
  if (DRY_RUN || !is_entry_of(clients.lookup(&newest), session)) return;
  __u32 zero = 0;
  __u32 *next = retired_next.lookup(&zero);
  if (!next) return;
  __u32 index = (*next * CPUS + bpf_get_smp_processor_id() % CPUS) % RETIRED_ENTRIES;
  *next = (*next + 1) % (RETIRED_ENTRIES / CPUS);
  struct client_key *place = retired.lookup(&index);
  if (!place) return;
  struct client_key oldest = *place;
  *place = newest;
  struct session *entry = clients.lookup(&oldest);
  struct session candidate;
  if (!entry || !copy_session(entry, &candidate) || is_needed(&candidate, oldest.proto, now)) return;
  if (!backend_sees_client(&candidate)) remove_flow(answer_of(&candidate, oldest.proto), &candidate);
  remove_client(&oldest);
}
