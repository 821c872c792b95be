/*
 * What a packet of the full path needs beside `struct packet`, in memory of its CPU: the stack of 512 bytes
 * has no room for it. The kernel runs one such program at a time on a CPU.
 */

/* The packet that an ICMP error is about. */
struct icmp_error {
  struct flow_key expected; /* the flow whose sessions translate this error */
  __u32 inner_l3;
  __u32 inner_l4;
  __u8 inner_icmp_type;
};

/* What a translated packet's addresses become, and where it leaves if it is for a client. */
struct egress {
  __be32 saddr;
  __be32 daddr;
  __u32 port_generation; /* of port */
  __u32 port;
  __u16 counter;
  bool from_client;
};

/* Of a TCP segment. A SYN has a number of its own: what follows it has the next one. */
struct tcp_numbers {
  __u32 sequence;
  __u32 acknowledged;
};

struct scratch {
  struct port in; /* where the packet came in */
  struct tcp_numbers numbers;
  struct session session;
  struct session old;       /* whose place `session` takes */
  struct service_head head; /* of the service that was looked at last */
  struct fragment note;
  struct egress egress;
  struct icmp_error error;
};

BPF_PERCPU_ARRAY(scratch, struct scratch, 1);

/* All zero. */
static __always_inline struct scratch *clean_scratch(void) {
  __u32 zero = 0;
  struct scratch *memory = scratch.lookup(&zero);
  if (memory) __builtin_memset(memory, 0, sizeof(*memory));
  return memory;
}
