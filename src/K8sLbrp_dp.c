/*
 * The datapath of a cube: one program for both directions. Reading order: abi.h and maps.h (what it knows),
 * parse.h (what a packet is), session.h and select.h (who gets it), rewrite.h, fragments.h, icmp_error.h,
 * arp.h (what becomes of it), the two sides, and handle_rx below, which puts them together.
 */
#include "datapath/abi.h"
#include "datapath/maps.h"
#include "datapath/parse.h"
#include "datapath/support.h"
#include "datapath/rewrite.h"
#include "datapath/session.h"
#include "datapath/select.h"
#include "datapath/fragments.h"
#include "datapath/icmp_error.h"
#include "datapath/arp.h"
#include "K8sLbrp_dp_frontend.c"
#include "K8sLbrp_dp_backend.c"

static __always_inline __u32 egress(const struct session *session, const struct port *in) {
  return in->side == SIDE_FRONTEND ? in->out : backend_egress(session, in);
}

static __always_inline int handle_flow(struct CTXTYPE *ctx, struct pkt_metadata *md, const struct packet *pkt,
                                       const struct port *in) {
  __u32 now = current_tick();
  struct session opened = {};
  struct session *session = find_session(pkt, now);
  if (session) {
    refresh(pkt, session, now, md->in_port, in->generation);
  } else {
    if (in->side == SIDE_BACKEND) return backend_unmatched(ctx, md, pkt, in);
    enum opening outcome = open_session(pkt, in, md->in_port, now, &opened);
    if (outcome != OPENED) return not_opened(ctx, md, pkt, in, outcome);
    session = &opened;
  }
  __u32 out = egress(session, in);
  if (pkt->first_fragment) remember_fragment(pkt, session, out, now);
  if (!translate(ctx, pkt, session)) return drop(EVENT_DROP_MALFORMED);
  return forward_to(ctx, md, out);
}

static __always_inline int handle_fragment(struct CTXTYPE *ctx, struct pkt_metadata *md,
                                           const struct packet *pkt, const struct port *in) {
  struct fragment *note = find_fragment(pkt, current_tick());
  if (!note)
    return in->side == SIDE_FRONTEND ? frontend_fragment(ctx, md, pkt, in)
                                     : backend_unmatched(ctx, md, pkt, in);
  __u32 out = note->out;
  if (!translate_fragment(ctx, pkt, note)) return drop(EVENT_DROP_MALFORMED);
  return forward_to(ctx, md, out);
}

static __always_inline int handle_icmp_error(struct CTXTYPE *ctx, struct pkt_metadata *md,
                                             const struct packet *pkt, const struct port *in) {
  struct icmp_error error = {};
  struct session *session = 0;
  if (parse_icmp_error(ctx, pkt, &error)) session = live_session(&error.expected, current_tick());
  if (!session)
    return in->side == SIDE_FRONTEND ? frontend_icmp_error(ctx, md, pkt, &error, in)
                                     : backend_unmatched(ctx, md, pkt, in);
  __u32 out = egress(session, in);
  if (!translate_icmp_error(ctx, pkt, &error, session)) return drop(EVENT_DROP_MALFORMED);
  return forward_to(ctx, md, out);
}

static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  __u32 index = md->in_port;
  struct port *in = ports.lookup(&index);
  if (!in || in->side == SIDE_NONE) return drop(EVENT_DROP_NO_PORT);
  bool from_frontend = in->side == SIDE_FRONTEND;

  struct packet pkt = {};
  pkt.tuple.side = in->side;
  switch (parse(ctx, &pkt)) {
    case PACKET_FLOW:
      return handle_flow(ctx, md, &pkt, in);
    case PACKET_FRAGMENT:
      return handle_fragment(ctx, md, &pkt, in);
    case PACKET_ICMP_ERROR:
      return handle_icmp_error(ctx, md, &pkt, in);
    case PACKET_OTHER_IP:
      return from_frontend ? frontend_unmatched(ctx, md, &pkt, in) : backend_unmatched(ctx, md, &pkt, in);
    case PACKET_ARP:
      return from_frontend ? arp_from_frontend(ctx, md, &pkt, in) : arp_from_backend(ctx, md, &pkt, in);
    case PACKET_NOT_IP:
      return from_frontend ? forward_to(ctx, md, in->out) : backend_not_ip(ctx, md, in);
    default:
      return drop(EVENT_DROP_MALFORMED);
  }
}
