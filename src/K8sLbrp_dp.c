/*
 * The datapath of a cube: one program for both directions. handle_rx, at the end, puts the stages together.
 * Read the files in the order of the includes:
 *
 *   abi.h, maps.h                      the data, shared with the control plane (abi_layout.h: its offsets)
 *   explain.h, support.h, counters.h   what every stage uses
 *   scratch.h, parse.h                 bytes to `struct packet`, and what belongs to it
 *   action.h                           forward, punt or drop
 *   source_range.h, select.h,
 *   affinity.h                         the backend of a new session
 *   session.h, retire.h,
 *   session_table.h, successor.h       the session of a packet, and its end
 *   translate.h, src_ip_rewrite.h,
 *   egress.h                           what the packet becomes, and where it leaves
 *   fast_path.h                        most packets: done after one lookup in a hash table
 *   fragments.h, icmp_error.h, arp.h   packets without a flow of their own
 *   unconfirmed.h, open.h              a new session
 *   frontend.h, backend.h              packets without a session, by the side where they enter
 *
 * The fast path is take_fast_path(), the full path everything in handle_rx() after it. The slow path is the
 * control plane, as in Polycube.
 */
#include "datapath/abi.h"
#include "datapath/maps.h"
#include "datapath/explain.h"
#include "datapath/support.h"
#include "datapath/counters.h"
#include "datapath/scratch.h"
#include "datapath/parse.h"
#include "datapath/action.h"
#include "datapath/source_range.h"
#include "datapath/select.h"
#include "datapath/affinity.h"
#include "datapath/session.h"
#include "datapath/retire.h"
#include "datapath/openings.h"
#include "datapath/session_table.h"
#include "datapath/successor.h"
#include "datapath/translate.h"
#include "datapath/src_ip_rewrite.h"
#include "datapath/egress.h"
#include "datapath/fast_path.h"
#include "datapath/fragments.h"
#include "datapath/icmp_error.h"
#include "datapath/arp.h"
#include "datapath/unconfirmed.h"
#include "datapath/open.h"
#include "datapath/frontend.h"
#include "datapath/backend.h"

/*
 * Packets of a flow, and ICMP errors about one: find the session or open one, then translate. `tuple` is the
 * packet's own; of an error, that of the embedded packet, mirrored: it travels the way of the error. A
 * client's error about a session that is not here (another node may have it) goes to the backend that a new
 * session would get; none is opened.
 */
static __always_inline action_t handle_flow(struct CTXTYPE *ctx, struct packet *pkt, const struct port *in,
                                            __u16 in_index, bool is_error) {
  struct icmp_error *error = &pkt->scratch->error;
  if (is_error && !parse_icmp_error(ctx, pkt, error)) return ACTION_UNMATCHED;
  struct flow_key tuple = is_error ? error->expected : pkt->tuple;
  if (is_error) decided(ICMP_ERROR, tuple.daddr, tuple.dport, tuple.saddr, tuple.sport);
  __u32 now = current_tick();
  /* Without this, the verifier walks the rest of the program once for each protocol. */
  tuple.proto = hide_from_verifier(tuple.proto, now);
  pkt->tuple.proto = is_error ? pkt->tuple.proto : tuple.proto; /* the same value, as hidden */
  __u32 hash = flow_hash(&tuple);
  bool begins = in->side == SIDE_FRONTEND && is_syn(pkt) && may_involve_server(&tuple);
  struct service *service = begins ? prefetch_service(&tuple, hash) : 0;
  struct session *session = &pkt->scratch->session;
  struct lookup found = {};
  find_session(&tuple, begins, now, session, &found);
  if (found.entry && !is_error && found.from_client) find_successor(pkt, session, &found, now);
  if (found.changed) return drop(EVENT_DROP_TABLE_CHANGED);
  if (found.entry)
    decided(SESSION, found.table, session->state, now - session->last_seen);
  else
    decided(NO_SESSION);
  found.expired = found.entry && expired(session, tuple.proto, now);
  if (found.expired) decided(SESSION_OVER);
  bool lives = found.entry && !found.expired;
  if (lives && !is_error && found.from_client) lives = continues_session(session, pkt);
  /* Else the verifier walks the rest once for each answer that the flags have given so far. */
  pkt->tcp_flags = hide_from_verifier(pkt->tcp_flags, now);
  if (lives) {
    if (!is_error && session->state == SESSION_ENDED) {
      decided(SESSION_ENDED);
      return punt(REASON_RESET);
    }
    if (!is_error) refresh(session, &found, pkt, now, in, in_index);
  } else {
    bool known = may_involve_server(&tuple);
    if (in->side == SIDE_BACKEND)
      return is_error ? ACTION_UNMATCHED : drop_answer_without_session(pkt, known);
    if (found.is_successor) {
      decided(SUCCESSOR_ENDS);
      remove_successor(session, &found);
      return drop(EVENT_DROP_TABLE_CHANGED);
    }
    enum open_result outcome = NOT_A_SERVICE;
    bool is_over = hide_from_verifier(found.entry != 0, now);
    if (!known) {
      decided(NOTHING_KNOWN);
    } else {
      struct session *old = &pkt->scratch->old;
      *old = *session;              /* assign_backend() overwrites it */
      if (found.entry) service = 0; /* a session that loses its backend must not get it again */
      found.keeps_old = !is_error && keep_old_session(session, &found, pkt);
      if (found.keeps_old) found.entry = 0; /* nothing takes its place yet */
      outcome = assign_backend(&tuple, service, hash, now, &pkt->scratch->head, session);
      if (!is_error) outcome = open_session(pkt, outcome, in, in_index, now, &found, old, hash, session);
    }
    if (is_error && outcome == NOT_A_SERVICE) return ACTION_UNMATCHED;
    if (is_error && outcome != OPENED) return drop(EVENT_DROP_ICMP_ERROR);
    if (outcome == NOT_A_SERVICE && is_over) forget_session(pkt, session);
    if (outcome != OPENED) return handle_not_opened(pkt, outcome);
    found.from_client = true;
  }
  struct translation to = translation_of(session, found.from_client);
  decided(TRANSLATED, to.saddr, to.sport, to.daddr, to.dport);
  /* The sender of an ICMP error: a router on the way keeps its own address, so that traceroute names it; the
   * end point itself becomes what the other end knows it by. */
  struct egress egress = {.saddr = pkt->tuple.saddr == tuple.saddr ? to.saddr : pkt->tuple.saddr,
                          .daddr = to.daddr,
                          .port_generation = session->port_generation,
                          .port = session->port,
                          .counter = session->counter,
                          .from_client = found.from_client};
  pkt->scratch->egress = egress;
  bool done = is_error ? translate_icmp_error(ctx, pkt, error, &to) : translate(ctx, pkt, &to);
  return done ? ACTION_TRANSLATED : drop(EVENT_DROP_MALFORMED);
}

static __always_inline action_t handle_packet(struct CTXTYPE *ctx, struct packet *pkt, const struct port *in,
                                              __u16 in_index) {
  bool from_frontend = in->side == SIDE_FRONTEND;
  enum packet_class class = parse(ctx, pkt);
  switch (class) {
    case PACKET_FLOW:
    case PACKET_ICMP_ERROR:
      return handle_flow(ctx, pkt, in, in_index, class == PACKET_ICMP_ERROR);
    case PACKET_FRAGMENT:
      return handle_fragment(ctx, pkt);
    case PACKET_OTHER_IP:
      return ACTION_UNMATCHED;
    case PACKET_ARP:
      return from_frontend ? arp_from_frontend(ctx, pkt, in) : arp_from_backend(ctx, pkt, in);
    case PACKET_NOT_IP:
      return from_frontend || !in->multi ? in->out : punt(REASON_FLOOD);
    default:
      decided(MALFORMED);
      return drop(EVENT_DROP_MALFORMED);
  }
}

static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  __u32 index = md->in_port;
  struct packet pkt = {};
  struct port role = port_at(index);
  if (role.side == SIDE_NONE) {
    decided(NO_ROLE, index);
    return carry_out(ctx, md, &pkt, drop(EVENT_DROP_PORT_NOT_READY), false);
  }

  __u32 out = take_fast_path(ctx, &role);
  if (out != NO_FAST_PATH) return send_out(ctx, md, out);
  pkt.scratch = clean_scratch();
  if (!pkt.scratch) return RX_DROP; /* for the verifier: it is always there */
  struct port *in = &pkt.scratch->in;
  *in = role;
  pkt.tuple.side = in->side;
  action_t action = handle_packet(ctx, &pkt, in, index);
  if (pkt.first_fragment) note_first_fragment(&pkt, action);
  bool translated = action == ACTION_TRANSLATED;
  if (translated) action = egress_port(in, &pkt.scratch->egress);
  if (action == ACTION_UNMATCHED) {
    decided(UNMATCHED);
    action = in->side == SIDE_FRONTEND ? in->out : port_towards_client(ctx, &pkt, in);
  }
  return carry_out(ctx, md, &pkt, action, translated);
}
