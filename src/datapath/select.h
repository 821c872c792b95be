/* From a service and a flow to a backend: one slot of the service's segment, chosen by a hash of the flow. */

static __always_inline __u32 flow_hash(const struct tuple *tuple) {
  __u64 hash = ((__u64)tuple->saddr << 32 | tuple->daddr) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 29;
  hash += ((__u64)tuple->sport << 32 | (__u64)tuple->dport << 16 | tuple->proto);
  hash *= 0xbf58476d1ce4e5b9ULL;
  hash ^= hash >> 32;
  hash *= 0x94d049bb133111ebULL;
  return hash >> 32;
}

static __always_inline bool is_vip(__be32 address) {
  struct service_key key = {.vip = address};
  return services.lookup(&key) != 0;
}

static __always_inline struct service_key service_of(const struct tuple *tuple) {
  struct service_key key = {.vip = tuple->daddr, .vport = tuple->dport, .proto = tuple->proto};
  return key;
}

/* Chooses the session's backend. False when the control plane replaced the segment meanwhile: look the
 * service up again. */
static __always_inline bool select_backend(const struct service *service, __u32 hash,
                                           struct session *session) {
  __u32 slot = ((__u64)hash * service->slots) >> 32;
  __u32 index = service->first_chunk + slot / SLOTS_PER_CHUNK;
  struct chunk *chunk = slots.lookup(&index);
  if (!chunk) return false;
  struct slot *chosen = &chunk->slots[slot % SLOTS_PER_CHUNK];
  session->back.far = chosen->ip;
  session->back.far_port = chosen->port;
  return chunk->segment == service->first_chunk;
}
