#include "Layout.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <numeric>

#include "config.h"

namespace k8slbrp {
namespace {

constexpr uint32_t kBitsOfWord = 16;
constexpr uint32_t kBucketsOfChunk = BACKENDS_PER_CHUNK / BACKENDS_PER_BUCKET;
constexpr uint32_t kMaxBuckets =
    (1 << kBitsOfWord) / BACKENDS_PER_BUCKET;  // a word holds the index of a backend
static_assert(INLINE_SLOTS == kPartitions && INLINE_WORDS == WORDS_PER_CHUNK);

// A backend and what it stands under.
struct Member {
  abi::backend backend;
  uint32_t weight;
  uint32_t index = 0;

  uint64_t identity() const { return uint64_t{ntohl(backend.ip)} << 16 | ntohs(backend.port); }
};

// Which share of the new sessions a backend takes. Those on standby take one while no active one does.
class Shares {
 public:
  explicit Shares(const ServiceBackends &backends) {
    for (const auto &[_, backend] : backends)
      active_ |= backend.state == ServiceBackendState::Active && backend.weight > 0;
  }

  uint16_t of(const Backend &backend) const {
    const auto takes = active_ ? ServiceBackendState::Active : ServiceBackendState::Standby;
    return backend.state == takes ? backend.weight : uint16_t{0};
  }

 private:
  bool active_ = false;
};

// In the order of their addresses. No port is part of packets of ICMP, whatever the configuration says.
std::vector<Member> members_of(const ServiceId &id, const ServiceBackends &backends) {
  if (backends.size() > kMaxBackendsOfService)
    throw bad_value("backend: a service has at most " + std::to_string(kMaxBackendsOfService) + " backends");
  std::vector<Member> members;
  members.reserve(backends.size());
  const Shares shares(backends);
  for (const auto &[ip, backend] : backends) {
    const uint16_t port = id.protocol == IPPROTO_ICMP ? 0 : htons(backend.port);
    const uint16_t share = shares.of(backend);
    const uint16_t flags = share > 0 ? BACKEND_ACCEPTS : 0;
    members.push_back({{ip, port, flags, 0}, share});
  }
  std::sort(members.begin(), members.end(),
            [](const Member &a, const Member &b) { return a.identity() < b.identity(); });
  return members;
}

// Puts each backend into the less crowded one of its two buckets. False when both are full.
bool place(std::vector<Member> &members, uint32_t buckets) {
  std::vector<uint32_t> crowd(buckets);
  for (auto &member : members) {
    const uint32_t hash = abi::backend_hash(member.backend.ip, member.backend.port);
    const uint32_t first = abi::backend_bucket(hash, 0, buckets),
                   second = abi::backend_bucket(hash, 1, buckets);
    const uint32_t bucket = crowd[second] < crowd[first] ? second : first;
    if (crowd[bucket] == BACKENDS_PER_BUCKET) return false;
    member.index = bucket * BACKENDS_PER_BUCKET + crowd[bucket]++;
  }
  return true;
}

// Backends stand in the entry as long as there is room for them, those that accept sessions first. Otherwise
// in as many buckets as it takes to find a place for each. Whoever may name addresses can choose them so that
// there is none, however many buckets there are.
uint32_t place(std::vector<Member> &members) {
  if (members.size() <= INLINE_BACKENDS) {
    std::stable_partition(members.begin(), members.end(), [](const Member &m) { return m.weight > 0; });
    for (uint32_t i = 0; i < members.size(); ++i) members[i].index = i;
    return 0;
  }
  uint32_t buckets = kBucketsOfChunk;
  while (buckets * BACKENDS_PER_BUCKET < members.size() || !place(members, buckets)) {
    if (buckets == kMaxBuckets)
      throw bad_value("backend: too many addresses and ports of the service have the same hash, allowed " +
                      std::to_string(2 * BACKENDS_PER_BUCKET));
    buckets *= 2;
  }
  return buckets;
}

// Those that get sessions. Weights that have a divisor in common are as good without it.
std::vector<WeightedBackend> weighted(const std::vector<Member> &members) {
  std::vector<WeightedBackend> backends;
  uint32_t divisor = 0;
  for (const auto &member : members) divisor = std::gcd(divisor, member.weight);
  for (const auto &member : members)
    if (member.weight > 0) backends.push_back({member.identity(), member.weight / divisor});
  return backends;
}

// Which member each slot holds.
std::vector<uint32_t> slots_of(const std::vector<Member> &members, uint32_t count) {
  std::vector<uint32_t> indexes;
  for (const auto &member : members)
    if (member.weight > 0) indexes.push_back(member.index);
  auto slots = assign_slots(weighted(members), count);
  for (auto &slot : slots) slot = indexes[slot];
  return slots;
}

uint8_t index_shift(uint32_t buckets) {
  if (buckets == 0) return 2;
  return buckets * BACKENDS_PER_BUCKET <= 256 ? 3 : 4;
}

// A head that says how much it leads to, and nothing else yet. Gives each member its place.
abi::service_head shape_of(std::vector<Member> &members) {
  abi::service_head head{};
  head.buckets = static_cast<uint16_t>(place(members));
  head.index_shift = index_shift(head.buckets);
  const auto backends = weighted(members);
  const bool one_is_enough = backends.size() == 1 && head.buckets == 0;
  head.slots =
      backends.empty() || one_is_enough ? static_cast<uint32_t>(backends.size()) : slots_for(backends);
  return head;
}

}  // namespace

abi::service_key kernel_key(const ServiceId &id) { return {id.vip, htons(id.port), id.protocol, 0}; }

ServiceId id_of(const abi::service_key &key) { return {key.vip, ntohs(key.vport), key.proto}; }

uint32_t chunks_of(const abi::service_head &head) {
  const bool none = head.slots <= 1 || abi::has_inline_slots(&head);
  return (none ? 0 : (head.slots << head.index_shift) / (8 * CHUNK_BYTES)) + head.buckets / kBucketsOfChunk;
}

uint32_t chunks_for(const ServiceId &id, const Service &service) {
  auto members = members_of(id, service.backends);
  return chunks_of(shape_of(members));
}

Layout::Layout(const ServiceId &id, const Service &service) {
  auto members = members_of(id, service.backends);
  entry.head = shape_of(members);
  if (service.session_affinity == ServiceSessionAffinity::ClientIp)
    entry.head.affinity = service.affinity_timeout;
  std::vector<uint32_t> slots;
  if (entry.head.slots > 1) slots = slots_of(members, entry.head.slots);

  chunks.resize(chunks_of(entry.head));
  for (uint32_t slot = 0; slot < slots.size(); ++slot) {
    const uint32_t bit = slot << entry.head.index_shift;
    auto *words = abi::has_inline_slots(&entry.head) ? entry.words : chunks[bit / (8 * CHUNK_BYTES)].words;
    words[bit / kBitsOfWord % WORDS_PER_CHUNK] |= static_cast<uint16_t>(slots[slot] << bit % kBitsOfWord);
  }
  const uint32_t first = first_of_backends();
  for (const auto &member : members) {
    if (entry.head.buckets == 0)
      entry.backends[member.index] = member.backend;
    else
      chunks[first + member.index / BACKENDS_PER_CHUNK].backends[member.index % BACKENDS_PER_CHUNK] =
          member.backend;
  }
}

uint32_t Layout::first_of_backends() const {
  return static_cast<uint32_t>(chunks.size()) - entry.head.buckets / kBucketsOfChunk;
}

template <class Call>
void Layout::for_each_backend(Call call) {
  const auto visit = [&](abi::backend &backend) {
    if (backend.ip != 0 || backend.port != 0 || backend.flags != 0) call(backend);
  };
  for (auto &backend : entry.backends) visit(backend);
  for (auto chunk = chunks.begin() + first_of_backends(); chunk != chunks.end(); ++chunk)
    for (auto &backend : chunk->backends) visit(backend);
}

void Layout::count_by(const std::map<uint32_t, uint16_t> &counters) {
  for_each_backend([&](abi::backend &backend) {
    const auto counter = counters.find(backend.ip);
    if (counter == counters.end()) return;
    backend.flags =
        static_cast<uint16_t>(counter->second << BACKEND_COUNTER_SHIFT | (backend.flags & BACKEND_ACCEPTS));
  });
}

void Layout::number(const ServiceId &id, uint32_t version, uint32_t first_chunk, uint8_t sources) {
  const auto key = kernel_key(id);
  const uint64_t hash = abi::service_hash(&key, version);
  entry.head.version = version;
  entry.head.first_chunk = first_chunk;
  entry.head.sources = sources;
  entry.head.check = abi::head_check(hash, &entry.head);
  for_each_backend([&](abi::backend &backend) { backend.check = abi::backend_check(hash, &backend); });
}

}  // namespace k8slbrp
