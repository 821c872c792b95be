#include "KnownEndpoints.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace k8slbrp {
namespace {

// Bits of what has gone stay set, because a late answer may still come from there; but not too many of them.
constexpr std::size_t kStaleLimit = 16384;

void set_bit(std::vector<uint64_t> &words, uint32_t bit) { words[bit / 64] |= uint64_t{1} << (bit % 64); }

uint32_t bit_of(uint32_t ip, uint16_t port, uint8_t protocol) {
  return abi::hash_endpoint(ip, htons(port), protocol) % KNOWN_BITS;
}

abi::service_key key_of(const ServiceId &id) { return {id.vip, htons(id.port), id.protocol, 0}; }

}  // namespace

KnownEndpoints::KnownEndpoints() : words_(KNOWN_WORDS) {}

KnownEndpoints::Backends KnownEndpoints::of(const ServiceId &id,
                                            const std::map<uint32_t, Backend> &backends) {
  Backends endpoints;
  for (const auto &[ip, backend] : backends)
    endpoints.emplace(ip, id.protocol == IPPROTO_ICMP ? uint16_t{0} : backend.port);
  return endpoints;
}

void KnownEndpoints::mark(ServiceMaps &maps, uint32_t ip, uint16_t port, uint8_t protocol) {
  for (const uint32_t bit : {bit_of(ip, port, protocol), bit_of(ip, 0, 0)}) {
    if (words_[bit / 64] >> (bit % 64) & 1) continue;
    set_bit(words_, bit);
    maps.known.set(bit / 64, words_[bit / 64]);
  }
}

void KnownEndpoints::announce(ServiceMaps &maps, const ServiceId &id, const Backends &backends) {
  mark(maps, id.vip, id.port, id.protocol);
  for (const auto &[ip, port] : backends) {
    mark(maps, ip, port, id.protocol);
    const ServiceId backend{ip, port, id.protocol};
    if (members_.count(backend) == 0) maps.endpoints.set(key_of(backend), 1);
  }
}

void KnownEndpoints::settle(ServiceMaps &maps, const ServiceId &id, Backends backends) {
  for (const auto &[ip, port] : backends) ++members_[{ip, port, id.protocol}];
  const auto old = services_.find(id);
  if (old != services_.end()) {
    for (const auto &[ip, port] : old->second) {
      const auto member = members_.find({ip, port, id.protocol});
      if (--member->second > 0) continue;
      maps.endpoints.remove(key_of(member->first));
      members_.erase(member);
      ++stale_;
    }
  }
  services_[id] = std::move(backends);
  forget(maps);
}

void KnownEndpoints::remove(ServiceMaps &maps, const ServiceId &id) {
  settle(maps, id, {});
  services_.erase(id);
}

void KnownEndpoints::forget(ServiceMaps &maps) {
  if (stale_ < kStaleLimit) return;
  stale_ = 0;
  const auto wanted = marks();
  for (uint32_t index = 0; index < KNOWN_WORDS; ++index)
    if (words_[index] != wanted[index]) maps.known.set(index, wanted[index]);
  words_ = wanted;
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
  for (const auto &[key, _] : maps.endpoints.get_all())
    if (members_.count({key.vip, ntohs(key.vport), key.proto}) == 0) maps.endpoints.remove(key);
  words_ = marks();
  for (uint32_t index = 0; index < KNOWN_WORDS; ++index) maps.known.set(index, words_[index]);
}

}  // namespace k8slbrp
