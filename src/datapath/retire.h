/*
 * FIFOs of sessions. Each push takes the place of the oldest, whose session is removed if it may be. So
 * sessions make room at the rate at which others come, whether or not a control plane runs. Each CPU has
 * places of its own.
 *
 * retired     the clients of sessions that are over
 * unanswered  the answers of new sessions in `flows`; in `openings` the kernel evicts
 */
enum fifo { FIFO_RETIRED = 0, FIFO_UNANSWERED = 1 };

static __always_inline __u32 next_turn(__u32 fifo) {
  __u32 *next = fifo_next.lookup(&fifo);
  return next ? (*next)++ : 0;
}

static __always_inline __u32 place_of(__u32 turn, __u32 places) {
  return (turn * CPUS + bpf_get_smp_processor_id() % CPUS) % places;
}

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

static __always_inline void retire(const struct session *session, __u8 proto, __u32 now) {
  if (DRY_RUN) return;
  __u32 index = place_of(next_turn(FIFO_RETIRED), RETIRED_ENTRIES);
  struct client_key *place = retired.lookup(&index);
  if (!place) return;
  struct client_key oldest = *place;
  struct client_key newest = {
      .ip = session->front.client, .port = session->front.client_port, .proto = proto};
  *place = newest;
  struct session *entry = clients.lookup(&oldest);
  struct session finished;
  if (!entry || !copy_session(entry, &finished) || is_needed(&finished, oldest.proto, now)) return;
  if (!backend_sees_client(&finished)) {
    struct flow_key answers = answer_of(&finished, oldest.proto);
    struct session *answered = flows.lookup(&answers); /* which may be another session's since */
    if (answered && answered->check == finished.check) flows.delete(&answers);
  }
  if (!clients.delete(&oldest)) count_change(CHANGE_CLIENT_REMOVED);
}

/* Removes the session from `flows`, where one or both directions stand, if nobody has answered it. */
static __always_inline void remove_unanswered(struct unanswered *oldest) {
  __u8 proto = oldest->answer.proto;
  struct session *entry = flows.lookup(&oldest->answer);
  struct session old;
  if (!entry || !copy_session(entry, &old) || !is_opening(&old, proto)) return;
  if (old.opening != oldest->opening) return; /* a newer one of the same flow */
  struct flow_key request = request_of(&old, proto);
  flows.delete(&oldest->answer);
  entry = flows.lookup(&request);
  if (entry && entry->check == old.check) flows.delete(&request);
}

/* Before a session without answer is stored in `flows`, where `answer` will find it. */
static __always_inline void limit_unanswered(struct session *session, const struct flow_key *answer) {
  if (DRY_RUN) return;
  __u32 turn = next_turn(FIFO_UNANSWERED), index = place_of(turn, UNANSWERED_ENTRIES);
  struct unanswered *place = unanswered.lookup(&index);
  if (!place) return;
  remove_unanswered(place);
  session->opening = turn;
  place->answer = *answer;
  place->opening = session->opening;
}
