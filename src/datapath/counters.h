/*
 * Counters of packets and bytes. A packet counts in `traffic` or in `totals`; the answer of a hairpin session
 * in both. One that finds no peer at its port counts as sent, too; one that enters by a port without role is
 * an event only.
 */

static __always_inline struct traffic *traffic_of(__u16 counter) {
  __u32 index = counter;
  return traffic.lookup(&index);
}

static __always_inline void count_change(__u32 change) {
  __u64 *counter = table_changes.lookup(&change);
  if (counter) (*counter)++;
}

static __always_inline void count_new_session(const struct session *session) {
  struct traffic *counters = traffic_of(session->counter);
  if (counters) counters->new_sessions++;
}

/* A packet of a session that is translated and leaves. */
static __always_inline void count_translated(__u16 counter, bool from_client, __u32 length) {
  struct traffic *counters = traffic_of(counter);
  if (!counters) return;
  if (from_client) {
    counters->packets_in++;
    counters->bytes_in += length;
  } else {
    counters->packets_out++;
    counters->bytes_out += length;
  }
}

/* Any other packet, and answers of hairpin sessions. */
static __always_inline void count_fate(__u8 side, enum fate fate, __u32 length) {
  __u32 index = side * FATE_COUNT + fate;
  struct total *total = totals.lookup(&index);
  if (!total) return;
  total->packets++;
  total->bytes += length;
}
