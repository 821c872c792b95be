#include "Openings.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

namespace k8slbrp {
namespace {

std::size_t bytes_of(uint32_t sets) { return std::size_t{sets} * sizeof(abi::opening_set); }

abi::opening_set *map_into_memory(int fd, uint32_t sets) {
  void *memory = mmap(nullptr, bytes_of(sets), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED)
    throw std::runtime_error(std::string("openings: cannot be mapped into memory: ") + std::strerror(errno));
  return static_cast<abi::opening_set *>(memory);
}

uint16_t tag_of(const abi::opening_set &set, uint32_t way) {
  return __atomic_load_n(&set.tags[way], __ATOMIC_ACQUIRE);
}

}  // namespace

uint64_t openings_secret() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  uint64_t secret = 0;
  for (const char byte : id) secret = abi::mix_word(secret, static_cast<uint8_t>(byte));
  return secret | 1;
}

Openings::Openings(int fd, uint32_t max_sessions)
    : count_(OPENING_SETS(max_sessions)), sets_(map_into_memory(fd, count_)) {}

Openings::~Openings() { munmap(sets_, bytes_of(count_)); }

// As copy_session() of the datapath reads: what has been overwritten meanwhile does not fit its check, or
// another check stands there at the end.
std::optional<Openings::Entry> Openings::read(const abi::opening_set &set, uint32_t way) {
  const uint16_t tag = tag_of(set, way);
  if (tag == 0) return std::nullopt;
  Entry entry;
  entry.proto = set.protocols[way];
  const auto *from = reinterpret_cast<const volatile abi::word64 *>(&set.sessions[way]);
  auto *to = reinterpret_cast<abi::word64 *>(&entry.session);
  for (std::size_t word = 0; word < sizeof(entry.session) / sizeof(*to); ++word) to[word] = from[word];
  const uint32_t check = __atomic_load_n(&set.sessions[way].check, __ATOMIC_ACQUIRE);
  if (entry.session.check != abi::session_check(&entry.session) || entry.session.check != check ||
      tag_of(set, way) != tag)
    return std::nullopt;
  return entry;
}

std::optional<Openings::Found> Openings::look_for(const abi::client_key &client) const {
  const uint32_t hash = abi::opening_hash(&client, secret_);
  const uint16_t tag = abi::opening_tag(hash);
  auto &set = sets_[abi::opening_set_of(hash, count_)];
  for (uint32_t way = 0; way < OPENING_WAYS; ++way) {
    if (tag_of(set, way) != tag) continue;
    const auto entry = read(set, way);
    if (!entry || entry->proto != client.proto) return std::nullopt;
    const auto &front = entry->session.front;
    if (front.client != client.ip || front.client_port != client.port) return std::nullopt;
    return Found{&set, way, tag, entry->session};
  }
  return std::nullopt;
}

std::optional<abi::session> Openings::find(const abi::client_key &client) const {
  const auto found = look_for(client);
  return found ? std::optional(found->session) : std::nullopt;
}

bool Openings::remove(const abi::client_key &client, uint32_t check) const {
  auto found = look_for(client);
  if (!found || found->session.check != check) return false;
  return __atomic_compare_exchange_n(&found->set->tags[found->way], &found->tag, uint16_t{0}, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void Openings::write_state(const abi::client_key &client, const abi::session &session) const {
  const auto found = look_for(client);
  if (!found || found->session.check != session.check) return;
  auto &entry = found->set->sessions[found->way];
  __atomic_store_n(&entry.last_seen, session.last_seen, __ATOMIC_RELAXED);
  __atomic_store_n(&entry.state, session.state, __ATOMIC_RELAXED);
}

}  // namespace k8slbrp
