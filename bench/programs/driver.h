/*
 * A program that makes one packet into many: before each run of the program under test it writes the
 * addresses and ports of the next flow into the packet and says by which port it comes. So a test run can
 * open a new session with every repeat, or meet another one of many. Checksums are not kept: nobody looks at
 * them.
 */
#include <bcc/helpers.h>
#include <uapi/linux/bpf.h>
#include <uapi/linux/pkt_cls.h>

struct flow {
  u32 saddr, daddr;
  u16 sport, dport;
  u32 in_port;
};

struct course {
  u32 next, count;
  u32 has_ports; /* of the packet: an ICMP header keeps what is in their place */
};

BPF_TABLE("array", u32, struct flow, flows, MAX_FLOWS);
BPF_TABLE("array", u32, struct course, course, 1);
BPF_TABLE("prog", u32, u32, under_test, 1);

static __always_inline struct flow *set_next_flow(void *data, void *end) {
  u32 zero = 0;
  struct course *now = course.lookup(&zero);
  if (!now) return 0;
  u32 index = now->next;
  now->next = index + 1 < now->count ? index + 1 : 0;
  struct flow *flow = flows.lookup(&index);
  if (!flow || data + 38 > end) return 0;
  *(u32 *)(data + 26) = flow->saddr;
  *(u32 *)(data + 30) = flow->daddr;
  if (now->has_ports) {
    *(u16 *)(data + 34) = flow->sport;
    *(u16 *)(data + 36) = flow->dport;
  }
  return flow;
}
