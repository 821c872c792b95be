/* The backend of a service that the hash of a flow selects; and whether a backend still belongs to a service.
 */

static __always_inline __u32 flow_hash(const struct flow_key *tuple) {
  __u64 hash = ((__u64)tuple->saddr << 32 | tuple->daddr) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 29;
  hash += ((__u64)tuple->sport << 32 | (__u64)tuple->dport << 16 | tuple->proto);
  hash *= 0xbf58476d1ce4e5b9ULL;
  hash ^= hash >> 32;
  hash *= 0x94d049bb133111ebULL;
  return hash >> 32;
}

static __always_inline struct service_key service_of(const struct flow_key *tuple) {
  struct service_key key = {.vip = tuple->daddr, .vport = tuple->dport, .proto = tuple->proto};
  return key;
}

/* Loads a word each time anew, like the kernel's READ_ONCE(). */
#define LOAD_ONCE(word) (*(const volatile __u32 *)&(word))

/* Keeps the compiler from moving what is read of an entry over the questions whether it still is that one,
 * like the kernel's barrier(). */
#define READ_BARRIER() asm volatile("" ::: "memory")

/* Whether the memory at `service` is the entry of `key`, in this version. Ask before and after reading it. */
static __always_inline bool is_version(const struct service *service, const struct service_key *key,
                                       __u32 version) {
  READ_BARRIER();
  bool same = LOAD_ONCE(service->version) == version &&
              LOAD_ONCE(service->version_again) == (version ^ service_check(key));
  READ_BARRIER();
  return same;
}

static __always_inline bool is_of_segment(const struct chunk *chunk, __u32 segment) {
  READ_BARRIER();
  return LOAD_ONCE(chunk->segment) == segment;
}

#define LOG2_CHUNK_BITS 12 /* of CHUNK_BYTES */

/* What a slot holds: the index of a backend. Slots are packed: slot n begins at bit n << index_shift. False
 * when the control plane has replaced the slots meanwhile. */
static __always_inline bool read_slot(const struct service *service, __u32 hash, __u32 *index) {
  __u32 segment = service->first_chunk, shift = service->index_shift & 7;
  __u32 bit = (__u32)(((__u64)hash * service->slots) >> 32) << shift;
  __u32 number = segment + (bit >> LOG2_CHUNK_BITS);
  struct chunk *chunk = chunks.lookup(&number);
  if (!chunk) return false;
  __u32 word = *(volatile __u16 *)&chunk->words[(bit >> 4) % WORDS_PER_CHUNK];
  *index = word >> (bit & 15) & ((1 << (1 << shift)) - 1);
  return is_of_segment(chunk, segment);
}

static __always_inline __u32 first_chunk_of_backends(const struct service *service) {
  return service->first_chunk + (service->slots << (service->index_shift & 7) >> LOG2_CHUNK_BITS);
}

/* False when the control plane has replaced the backends meanwhile. */
static __always_inline bool read_backend(const struct service *service, __u32 index,
                                         struct backend *backend) {
  if (service->buckets == 0) {
    if (index >= INLINE_BACKENDS) return false;
    *backend = service->backends[index];
    return true;
  }
  __u32 segment = service->first_chunk;
  __u32 number = first_chunk_of_backends(service) + index / BACKENDS_PER_CHUNK;
  struct chunk *chunk = chunks.lookup(&number);
  if (!chunk) return false;
  *backend = chunk->backends[index % BACKENDS_PER_CHUNK];
  return is_of_segment(chunk, segment);
}

/* MEMBERSHIP_CHANGED: the control plane has replaced the backends meanwhile. */
enum membership { NOT_A_MEMBER = 0, MEMBER_DRAINING = 1, MEMBER_ACCEPTS = 2, MEMBERSHIP_CHANGED = 3 };

/* These write to `counter` the number of the counters of the backend that they find. */
static __always_inline enum membership find_among(const struct backend *backends, int count, __be32 ip,
                                                  __be16 port, __u16 *counter) {
  LOOP for (int i = 0; i < count; i++) {
    if (backends[i].ip != ip || backends[i].port != port) continue;
    __u16 flags = *(const volatile __u16 *)&backends[i].flags;
    *counter = flags >> BACKEND_COUNTER_SHIFT;
    return flags & BACKEND_ACCEPTS ? MEMBER_ACCEPTS : MEMBER_DRAINING;
  }
  return NOT_A_MEMBER;
}

static __always_inline enum membership find_in_bucket(const struct service *service, __u32 bucket, __be32 ip,
                                                      __be16 port, __u16 *counter) {
  __u32 segment = service->first_chunk, first = bucket * BACKENDS_PER_BUCKET;
  __u32 number = first_chunk_of_backends(service) + first / BACKENDS_PER_CHUNK;
  struct chunk *chunk = chunks.lookup(&number);
  if (!chunk) return MEMBERSHIP_CHANGED;
  const struct backend *members = &chunk->backends[first & (BACKENDS_PER_CHUNK - BACKENDS_PER_BUCKET)];
  enum membership membership = find_among(members, BACKENDS_PER_BUCKET, ip, port, counter);
  return is_of_segment(chunk, segment) ? membership : MEMBERSHIP_CHANGED;
}

static __always_inline enum membership find_backend(const struct service *service, __be32 ip, __be16 port,
                                                    __u16 *counter) {
  if (service->buckets == 0) return find_among(service->backends, INLINE_BACKENDS, ip, port, counter);
  __u32 hash = backend_hash(ip, port), buckets = service->buckets;
  enum membership membership = find_in_bucket(service, backend_bucket(hash, 0, buckets), ip, port, counter);
  if (membership != NOT_A_MEMBER) return membership;
  return find_in_bucket(service, backend_bucket(hash, 1, buckets), ip, port, counter);
}

/* Whether a backend is the service's, and gets new sessions. */
static __always_inline enum membership membership_of(const struct service_key *key, __be32 ip, __be16 port,
                                                     __u16 *counter) {
  struct service *service = services.lookup((struct service_key *)key);
  if (!service) service = services.lookup((struct service_key *)key); /* missed, see select_backend() */
  if (!service) return NOT_A_MEMBER;
  __u32 version = LOAD_ONCE(service->version);
  if (!is_version(service, key, version)) return MEMBERSHIP_CHANGED;
  enum membership membership = find_backend(service, ip, port, counter);
  return is_version(service, key, version) ? membership : MEMBERSHIP_CHANGED;
}

enum choice { CHOSEN, CHOICE_NO_SERVICE, CHOICE_NO_BACKEND, CHOICE_REFUSED, CHOICE_CHANGED };

struct chosen {
  struct backend backend;
  __u32 affinity; /* the service's */
};

static __always_inline enum choice try_select_backend(const struct flow_key *tuple, __u32 hash,
                                                      struct chosen *chosen) {
  struct service_key key = service_of(tuple);
  struct service *service = services.lookup(&key);
  if (!service) return CHOICE_NO_SERVICE;
  __u32 version = LOAD_ONCE(service->version), index = 0;
  if (!is_version(service, &key, version)) return CHOICE_CHANGED;
  enum choice choice = CHOSEN;
  if (service->sources && !serves_source(&key, service->sources, tuple->saddr))
    choice = CHOICE_REFUSED;
  else if (service->slots == 0)
    choice = CHOICE_NO_BACKEND;
  else if (service->slots > 1 && !read_slot(service, hash, &index))
    choice = CHOICE_CHANGED;
  else if (!read_backend(service, index, &chosen->backend))
    choice = CHOICE_CHANGED;
  chosen->affinity = service->affinity;
  if (!is_version(service, &key, version)) return CHOICE_CHANGED;
  if (choice == CHOSEN && service->slots == 1)
    decided(ONLY_BACKEND, key.vip, key.vport, chosen->backend.ip, chosen->backend.port);
  else if (choice == CHOSEN)
    decided(SLOT, ((__u64)hash * service->slots) >> 32, service->slots, chosen->backend.ip,
            chosen->backend.port);
  return choice;
}

/*
 * CHOICE_CHANGED when the control plane has changed the service in each of these moments. A service that is
 * not found is looked for again as well: the kernel puts the new version of an entry before the others of its
 * bucket, then takes the old one out, and may use its memory at once, so a lookup that is among the others or
 * at the old one meanwhile misses both. (The race of two CPUs saw that once in three million packets, and
 * twice in a row once in some hundred million.)
 */
static __always_inline enum choice select_backend(const struct flow_key *tuple, __u32 hash,
                                                  struct chosen *chosen) {
  enum choice choice = CHOICE_CHANGED;
  LOOP for (int attempt = 0; attempt < 3; attempt++) {
    choice = try_select_backend(tuple, hash, chosen);
    if (choice != CHOICE_CHANGED && choice != CHOICE_NO_SERVICE) break;
  }
  return choice;
}
