/* From a service and a flow to a backend, by a hash of the flow. */

static __always_inline __u32 flow_hash(const struct tuple *tuple) {
  __u64 hash = ((__u64)tuple->saddr << 32 | tuple->daddr) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 29;
  hash += ((__u64)tuple->sport << 32 | (__u64)tuple->dport << 16 | tuple->proto);
  hash *= 0xbf58476d1ce4e5b9ULL;
  hash ^= hash >> 32;
  hash *= 0x94d049bb133111ebULL;
  return hash >> 32;
}

/* Whatever the ports of its services. */
static __always_inline bool is_vip(__be32 address) { return vips.lookup(&address) != 0; }

static __always_inline struct service_key service_of(const struct tuple *tuple) {
  struct service_key key = {.vip = tuple->daddr, .vport = tuple->dport, .proto = tuple->proto};
  return key;
}

static __always_inline __u64 score(__u64 candidate, __u64 seed, __u64 factor) {
  __u64 mixed = (candidate ^ seed) * factor;
  return (mixed ^ mixed >> 29) * factor;
}

/*
 * Rendezvous hashing (D. Thaler, C. Ravishankar, 1998): the candidate with the highest score for this flow.
 * When one goes, only its own flows choose anew. Few candidates take less time than the cache misses of a
 * table. False when the entry has become another service's meanwhile.
 */
static __always_inline bool choose_candidate(const struct service *service, __u32 hash,
                                             struct session *session) {
  __u32 version = *(const volatile __u32 *)&service->version_again;
  const volatile __u64 *candidates = (const volatile __u64 *)service->candidates;
  __u64 seed = hash * 0x9e3779b97f4a7c15ULL;
  __u64 factor = 0xbf58476d1ce4e5b9ULL;
  asm volatile("" : "+r"(factor)); /* else loaded anew, by two instructions, at each use */
  __u64 chosen = candidates[0], best = score(chosen, seed, factor);
#pragma unroll
  for (int i = 1; i < MAX_CANDIDATES; i++) {
    __u64 other = candidates[i], result = score(other, seed, factor);
    if (result > best) {
      best = result;
      chosen = other;
    }
  }
  const struct candidate *candidate = (const struct candidate *)&chosen;
  session->back.far = candidate->ip;
  session->back.far_port = candidate->port;
  return *(const volatile __u32 *)&service->version == version;
}

/* False when the control plane has replaced the slots meanwhile. */
static __always_inline bool choose_slot(__u32 first_chunk, __u32 count, __u32 hash, struct session *session) {
  __u32 slot = ((__u64)hash * count) >> 32;
  __u32 index = first_chunk + slot / SLOTS_PER_CHUNK;
  struct chunk *chunk = slots.lookup(&index);
  if (!chunk) return false;
  struct slot *chosen = &chunk->slots[slot % SLOTS_PER_CHUNK];
  session->back.far = chosen->ip;
  session->back.far_port = chosen->port;
  return chunk->segment == first_chunk;
}
