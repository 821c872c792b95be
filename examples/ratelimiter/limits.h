/* Layouts that the datapath and the control plane share: the values of the maps, which have a port's index as
 * key. */
#ifndef RATELIMITER_LIMITS_H
#define RATELIMITER_LIMITS_H

#ifdef __cplusplus
#include <linux/types.h>
#endif

#define MAX_PORTS 128
#define NO_PORT 0xffffffff
#define NS_PER_BYTE_AT_1_KBIT 8000000ull

struct limit {
  __u64 rate;      /* kbit/s, 0: none */
  __u64 tolerance; /* ns by which packets may be ahead of the rate */
  __u32 out;       /* index of the other port, or NO_PORT */
  __u32 padding;
};

struct counters {
  __u64 passed;
  __u64 dropped;
};

#endif
