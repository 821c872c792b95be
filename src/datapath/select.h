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

static __always_inline struct service_key service_key_of(const struct flow_key *tuple) {
  struct service_key key = {.vip = tuple->daddr, .vport = tuple->dport, .proto = tuple->proto};
  return key;
}

/*
 * A lookup may miss a service that is there: the kernel puts the new version of an entry before the others of
 * its bucket, then takes the old one out, and may use its memory at once, so whoever is among the others or
 * at the old one meanwhile misses both. In the race of tests/race/test_race_services.py, where nothing but
 * such changes happens, three lookups in a row missed it for 7 of 100 million packets. Null: it is not there.
 */
#define SERVICE_LOOKUPS 6

static __always_inline struct service *find_service(const struct service_key *key) {
  struct service *service = services.lookup((struct service_key *)key);
  if (service || !is_vip(key->vip)) return service;
  LOOP for (int lookups = 1; lookups < SERVICE_LOOKUPS && !service; lookups++) {
    service = services.lookup((struct service_key *)key);
  }
  return service;
}

static __always_inline __u32 inline_slot(__u32 hash) { return ((__u64)hash * INLINE_SLOTS) >> 32; }

/* The service of a packet that begins a session; asks for what select_backend() may read in its entry. Null
 * proves nothing. */
static __always_inline struct service *prefetch_service(const struct flow_key *tuple, __u32 hash) {
  struct service_key key = service_key_of(tuple);
  struct service *service = services.lookup(&key);
  if (!service) return 0;
  prefetch(&service->words[inline_slot(hash) / 4]);
#pragma unroll
  for (int at = 0; at < ABI_OFFSET(service, words); at += CACHE_LINE) prefetch((void *)service + at);
  return service;
}

/* Copies the head of an entry. False when its memory was used again meanwhile. */
static __always_inline bool copy_head(const struct service *service, const struct service_key *key,
                                      struct service_head *head) {
  const volatile word64 *from = (const volatile word64 *)&service->head;
  word64 *to = (word64 *)head;
#pragma unroll
  for (int i = 0; i < sizeof(*head) / sizeof(*to); i++) to[i] = from[i];
  return head->check == head_check(service_hash(key, head->version), head);
}

/* The same for a backend of the version that `version_hash`, a service_hash(), stands for. */
static __always_inline bool copy_backend(const struct backend *from, __u64 version_hash,
                                         struct backend *backend) {
  backend->ip = LOAD_ONCE(from->ip);
  backend->port = LOAD_ONCE(from->port);
  backend->flags = LOAD_ONCE(from->flags);
  return LOAD_ONCE(from->check) == backend_check(version_hash, backend);
}

/* The entry that a lookup finds now, if it is of this version. */
static __always_inline struct service *find_version(const struct service_key *key, __u32 version) {
  struct service *service = find_service(key);
  return service && LOAD_ONCE(service->head.version) == version ? service : 0;
}

#define LOG2_CHUNK_BITS 12 /* log2(8 * CHUNK_BYTES) */

/* What a slot holds: the index of a backend. Slots are packed: slot n begins at bit n << index_shift. False:
 * its chunk is gone. True proves nothing, the backend's check does. */
static __always_inline bool read_slot(const struct service *service, const struct service_head *head,
                                      __u32 hash, __u32 *index) {
  if (has_inline_slots(head)) {
    __u32 slot = inline_slot(hash);
    *index = service->words[slot / 4] >> slot % 4 * 4 & 15;
    return true;
  }
  __u32 shift = head->index_shift & 7;
  __u32 bit = (__u32)(((__u64)hash * head->slots) >> 32) << shift;
  __u32 number = head->first_chunk + (bit >> LOG2_CHUNK_BITS);
  struct chunk *chunk = chunks.lookup(&number);
  if (!chunk) return false;
  *index = chunk->words[(bit >> 4) % WORDS_PER_CHUNK] >> (bit & 15) & ((1 << (1 << shift)) - 1);
  return true;
}

/* Of a service whose backends stand in chunks. */
static __always_inline struct chunk *chunk_of_backend(const struct service_head *head, __u32 index) {
  __u32 bits = head->slots << (head->index_shift & 7); /* of slots, before the backends */
  __u32 number = head->first_chunk + (bits >> LOG2_CHUNK_BITS) + index / BACKENDS_PER_CHUNK;
  return chunks.lookup(&number);
}

/* False: what stands there is not of this version. */
static __always_inline bool read_backend(const struct service *service, const struct service_head *head,
                                         __u64 version_hash, __u32 index, struct backend *backend) {
  if (head->buckets == 0)
    return index < INLINE_BACKENDS && copy_backend(&service->backends[index], version_hash, backend);
  struct chunk *chunk = chunk_of_backend(head, index);
  return chunk && copy_backend(&chunk->backends[index % BACKENDS_PER_CHUNK], version_hash, backend);
}

static __always_inline const struct backend *find_among(const struct backend *backends, int count, __be32 ip,
                                                        __be16 port) {
  LOOP for (int i = 0; i < count; i++) {
    if (backends[i].ip == ip && backends[i].port == port) return &backends[i];
  }
  return 0;
}

static __always_inline const struct backend *find_in_bucket(const struct service_head *head, __u32 bucket,
                                                            __be32 ip, __be16 port) {
  __u32 first = bucket * BACKENDS_PER_BUCKET;
  struct chunk *chunk = chunk_of_backend(head, first);
  if (!chunk) return 0;
  return find_among(&chunk->backends[first & (BACKENDS_PER_CHUNK - BACKENDS_PER_BUCKET)], BACKENDS_PER_BUCKET,
                    ip, port);
}

/* Null: it was not seen there, see membership_of(). */
static __always_inline const struct backend *find_backend(const struct service *service,
                                                          const struct service_head *head, __be32 ip,
                                                          __be16 port) {
  if (head->buckets == 0) return find_among(service->backends, INLINE_BACKENDS, ip, port);
  __u32 hash = backend_hash(ip, port);
  const struct backend *found = find_in_bucket(head, backend_bucket(hash, 0, head->buckets), ip, port);
  return found ? found : find_in_bucket(head, backend_bucket(hash, 1, head->buckets), ip, port);
}

/* MEMBERSHIP_CHANGED is no answer: the entry or its memory was changed meanwhile. */
enum membership { NOT_A_MEMBER = 0, MEMBER_DRAINING = 1, MEMBER_ACCEPTS = 2, MEMBERSHIP_CHANGED = 3 };

/*
 * Whether a backend is the service's, and gets new sessions. Writes the number of its counters.
 *
 * A lookup may find an entry that the kernel is just writing, even for the same key. So that a backend is
 * missing counts only if the version was in force before the search and is still in force after it.
 */
static __always_inline enum membership membership_of(const struct service_key *key, __be32 ip, __be16 port,
                                                     struct service_head *head, __u16 *counter) {
  struct service *service = find_service(key);
  if (!service) return NOT_A_MEMBER;
  if (!copy_head(service, key, head)) return MEMBERSHIP_CHANGED;
  service = find_version(key, head->version);
  if (!service) return MEMBERSHIP_CHANGED;
  const struct backend *found = find_backend(service, head, ip, port);
  if (!found) return find_version(key, head->version) ? NOT_A_MEMBER : MEMBERSHIP_CHANGED;
  struct backend backend = {.ip = ip, .port = port, .flags = LOAD_ONCE(found->flags)};
  if (LOAD_ONCE(found->check) != backend_check(service_hash(key, head->version), &backend))
    return MEMBERSHIP_CHANGED;
  *counter = backend.flags >> BACKEND_COUNTER_SHIFT;
  return backend.flags & BACKEND_ACCEPTS ? MEMBER_ACCEPTS : MEMBER_DRAINING;
}

enum choice { CHOSEN, CHOICE_NO_SERVICE, CHOICE_NO_BACKEND, CHOICE_REFUSED, CHOICE_CHANGED };

struct chosen {
  struct backend backend;
  __u32 affinity; /* the service's */
};

static __always_inline enum choice try_select_backend(const struct flow_key *tuple, struct service *service,
                                                      __u32 hash, struct service_head *head,
                                                      struct chosen *chosen) {
  struct service_key key = service_key_of(tuple);
  if (!service) service = find_service(&key);
  if (!service) return CHOICE_NO_SERVICE;
  if (!copy_head(service, &key, head)) return CHOICE_CHANGED;
  if (head->sources && !serves_source(&key, head->sources, tuple->saddr))
    return find_version(&key, head->version) ? CHOICE_REFUSED : CHOICE_CHANGED;
  if (head->slots == 0) return CHOICE_NO_BACKEND;
  __u32 index = 0;
  if (head->slots > 1 && !read_slot(service, head, hash, &index)) return CHOICE_CHANGED;
  __u64 version_hash = service_hash(&key, head->version);
  if (!read_backend(service, head, version_hash, index, &chosen->backend)) return CHOICE_CHANGED;
  if (!(chosen->backend.flags & BACKEND_ACCEPTS))
    return CHOICE_CHANGED; /* no slot of this version leads here */
  chosen->affinity = head->affinity;
  if (head->slots == 1)
    decided(ONLY_BACKEND, key.vip, key.vport, chosen->backend.ip, chosen->backend.port);
  else
    decided(SLOT, ((__u64)hash * head->slots) >> 32, head->slots, chosen->backend.ip, chosen->backend.port);
  return CHOSEN;
}

/* `prefetched`: of prefetch_service(), or null. CHOICE_CHANGED when the control plane has changed the service
 * since then, and during each of three attempts. */
static __always_inline enum choice select_backend(const struct flow_key *tuple, struct service *prefetched,
                                                  __u32 hash, struct service_head *head,
                                                  struct chosen *chosen) {
  enum choice choice = CHOICE_CHANGED;
  LOOP for (int attempt = prefetched ? -1 : 0; attempt < 3 && choice == CHOICE_CHANGED; attempt++) {
    choice = try_select_backend(tuple, prefetched, hash, head, chosen);
    prefetched = 0;
  }
  return choice;
}
