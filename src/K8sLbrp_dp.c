/*
 * The datapath of a cube: one program for both directions. Reading order: abi.h and maps.h (what it knows),
 * parse.h (what a packet is), session.h, session_table.h, retire.h, select.h with source_range.h and
 * affinity.h, and open.h (who gets it), translate.h, egress.h, straight.h (what most packets take),
 * fragments.h, icmp_error.h, arp.h (what becomes of the others), the two sides, and handle_rx below, which
 * puts them together.
 */
#include "datapath/abi.h"
#include "datapath/explain.h"
#include "datapath/maps.h"
#include "datapath/parse.h"
#include "datapath/support.h"
#include "datapath/counters.h"
#include "datapath/action.h"
#include "datapath/source_range.h"
#include "datapath/select.h"
#include "datapath/affinity.h"
#include "datapath/session.h"
#include "datapath/retire.h"
#include "datapath/session_table.h"
#include "datapath/translate.h"
#include "datapath/src_ip_rewrite.h"
#include "datapath/egress.h"
#include "datapath/straight.h"
#include "datapath/fragments.h"
#include "datapath/icmp_error.h"
#include "datapath/arp.h"
#include "K8sLbrp_dp_backend.c"
#include "datapath/open.h"
#include "K8sLbrp_dp_frontend.c"

/*
 * What may belong to a session: packets of a flow, and ICMP errors about them, for which `tuple` is what the
 * flow's own packets look like. An error about an answer of a service whose session is not here (another node
 * may have it) goes to the backend that the choice gives.
 */
static __always_inline action_t handle_session(struct CTXTYPE *ctx, struct packet *pkt, const struct port *in,
                                               __u16 in_index, bool is_error) {
  struct icmp_error error = {};
  if (is_error && !parse_icmp_error(ctx, pkt, &error)) return ACTION_UNMATCHED;
  struct flow_key tuple = is_error ? error.expected : pkt->tuple;
  __u32 now = current_tick();
  tuple.proto = hidden(tuple.proto, now); /* else the verifier follows the rest once for each protocol */
  pkt->tuple.proto = is_error ? pkt->tuple.proto : tuple.proto;
  struct session session = {};
  struct lookup found = {};
  find_session(&tuple, now, &session, &found);
  if (found.changed) return drop(EVENT_DROP_TABLE_CHANGED);
  if (found.entry)
    decided(SESSION, found.table, session.state, now - session.last_seen);
  else
    decided(NO_SESSION);
  found.ended = found.entry && expired(&session, tuple.proto, now);
  if (found.ended) decided(SESSION_OVER);
  bool lives = found.entry && !found.ended;
  if (lives && !is_error && found.from_client) lives = keeps(&session, pkt);
  if (lives) {
    if (!is_error) refresh(&session, &found, pkt, now, in, in_index);
  } else {
    bool known = is_server_known(&tuple);
    if (in->side == SIDE_BACKEND) return is_error ? ACTION_UNMATCHED : backend_without_session(pkt, known);
    if (!known) {
      decided(NOTHING_KNOWN);
      return is_error ? ACTION_UNMATCHED : no_such_service(pkt);
    }
    struct flow old = session.back;
    found.counter = session.counter;
    __u32 hash = flow_hash(&tuple);
    enum opening outcome = choose_backend(&tuple, hash, now, &session);
    if (is_error) {
      if (outcome == NOT_A_SERVICE) return ACTION_UNMATCHED;
      if (outcome != OPENED) return drop(EVENT_DROP_ICMP_ERROR);
    } else {
      outcome = open_session(pkt, outcome, in, in_index, now, &found, &old, hash, &session);
      if (outcome != OPENED) return not_opened(pkt, outcome);
    }
    found.from_client = true;
  }
  struct translation to = translation_of(&session, found.from_client);
  decided(TRANSLATED, to.saddr, to.sport, to.daddr, to.dport);
  struct exit exit = {.saddr = pkt->tuple.saddr == tuple.saddr ? to.saddr : pkt->tuple.saddr,
                      .daddr = to.daddr,
                      .port_generation = session.port_generation,
                      .port = session.port,
                      .counter = session.counter,
                      .from_client = found.from_client};
  pkt->exit = exit;
  bool done = is_error ? translate_icmp_error(ctx, pkt, &error, &to) : translate(ctx, pkt, &to);
  return done ? ACTION_TRANSLATED : drop(EVENT_DROP_MALFORMED);
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
  struct port *in = ports.lookup(&index);
  if (!in || in->side == SIDE_NONE) {
    decided(NO_ROLE, index);
    return act(ctx, md, &pkt, drop(EVENT_DROP_PORT_NOT_READY), false);
  }

  __u32 out = go_straight(ctx, in);
  if (out != NOT_STRAIGHT) return send_out(ctx, md, out);
  pkt.tuple.side = in->side;
  action_t action = decide(ctx, &pkt, in, index);
  if (pkt.first_fragment) note_first_fragment(&pkt, action);
  bool translated = action == ACTION_TRANSLATED;
  if (translated) action = egress(in, &pkt.exit);
  if (action == ACTION_UNMATCHED) {
    decided(UNMATCHED);
    action = in->side == SIDE_FRONTEND ? in->out : backend_unmatched(ctx, &pkt, in);
  }
  return act(ctx, md, &pkt, action, translated);
}
