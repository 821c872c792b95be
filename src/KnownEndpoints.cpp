#include "KnownEndpoints.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <bitset>

#include "Layout.h"

namespace k8slbrp {
namespace {

// Bits of what has gone stay set, because a late answer may still come from there; but not too many of them.
constexpr std::size_t kStaleLimit = 16384;
constexpr std::size_t kBitsOfEndpoint = 2;  // its own, and that of its address

void set_bit(std::vector<uint64_t> &words, uint32_t bit) { words[bit / 64] |= uint64_t{1} << (bit % 64); }

uint32_t bit_of(uint32_t ip, uint16_t port, uint8_t protocol) {
  return abi::endpoint_hash(ip, htons(port), protocol) % KNOWN_BITS;
}

}  // namespace

KnownEndpoints::KnownEndpoints() : words_(KNOWN_WORDS) {}

KnownEndpoints::Backends KnownEndpoints::of(const ServiceId &id, const ServiceBackends &backends) {
  Backends endpoints;
  for (const auto &[ip, backend] : backends)
    endpoints.emplace(ip, id.protocol == IPPROTO_ICMP ? uint16_t{0} : backend.port);
  return endpoints;
}

void KnownEndpoints::mark(ServiceMaps &maps, uint32_t ip, uint16_t port, uint8_t protocol) {
  for (const uint32_t bit : {bit_of(ip, port, protocol), bit_of(ip, 0, 0)}) {
    uint64_t &word = words_[bit / 64];
    const uint64_t marked = word | uint64_t{1} << (bit % 64);
    if (word == marked) continue;
    maps.known.set(bit / 64, marked);
    word = marked;
  }
}

void KnownEndpoints::load(ServiceMaps &maps) {
  for (uint32_t index = 0; index < KNOWN_WORDS; ++index) words_[index] = maps.known.get(index);
}

void KnownEndpoints::announce(ServiceMaps &maps, const ServiceId &id, const Backends &backends) {
  mark(maps, id.vip, id.port, id.protocol);
  for (const auto &[ip, port] : backends) {
    mark(maps, ip, port, id.protocol);
    const auto member = members_.try_emplace({ip, port, id.protocol}, 0).first;
    if (member->second == 0) maps.endpoints.set(kernel_key(member->first), 1);
  }
}

void KnownEndpoints::withdraw(ServiceMaps &maps, const ServiceId &id, const Backends &backends) {
  for (const auto &[ip, port] : backends) {
    const auto member = members_.find({ip, port, id.protocol});
    if (member == members_.end() || member->second > 0) continue;
    maps.endpoints.remove(kernel_key(member->first));
    members_.erase(member);
    ++stale_;
  }
}

void KnownEndpoints::settle(ServiceMaps &maps, Services services, const std::vector<ServiceId> &removed) {
  for (const auto &[id, backends] : services)
    for (const auto &[ip, port] : backends) ++members_.find({ip, port, id.protocol})->second;
  for (auto service = services.begin(); service != services.end();) {
    const auto current = service++;
    const auto old = services_.find(current->first);
    if (old == services_.end())
      services_.insert(services.extract(current));
    else
      std::swap(old->second, current->second);
  }
  for (const auto &id : removed) services.insert(services_.extract(id));
  // What is in `services` now has been in force before.
  for (const auto &[id, backends] : services)
    for (const auto &[ip, port] : backends) --members_.find({ip, port, id.protocol})->second;
  for (const auto &[id, backends] : services) withdraw(maps, id, backends);
  forget(maps);
}

void KnownEndpoints::collect(ServiceMaps &maps) {
  for (auto member = members_.begin(); member != members_.end();) {
    if (member->second == 0) {
      maps.endpoints.remove(kernel_key(member->first));
      member = members_.erase(member);
      ++stale_;
    } else {
      ++member;
    }
  }
}

void KnownEndpoints::forget(ServiceMaps &maps) {
  if (stale_ < kStaleLimit) return;
  const auto wanted = marks();
  for (uint32_t index = 0; index < KNOWN_WORDS; ++index) {
    if (words_[index] == wanted[index]) continue;
    maps.known.set(index, wanted[index]);
    words_[index] = wanted[index];
  }
  stale_ = 0;
}

std::vector<uint64_t> KnownEndpoints::marks() const {
  std::vector<uint64_t> words(KNOWN_WORDS);
  const auto add = [&](const ServiceId &id) {
    set_bit(words, bit_of(id.vip, id.port, id.protocol));
    set_bit(words, bit_of(id.vip, 0, 0));
  };
  for (const auto &[id, _] : services_) add(id);
  for (const auto &[id, _] : members_) add(id);
  return words;
}

void KnownEndpoints::drop_leftovers(ServiceMaps &maps) {
  for (const auto &[key, _] : maps.endpoints.get_all()) members_.try_emplace(id_of(key), 0);
  collect(maps);
  std::size_t bits = 0;
  const auto wanted = marks();
  for (uint32_t index = 0; index < KNOWN_WORDS; ++index)
    bits += std::bitset<64>(words_[index] & ~wanted[index]).count();
  stale_ = bits / kBitsOfEndpoint;
  forget(maps);
}

}  // namespace k8slbrp
