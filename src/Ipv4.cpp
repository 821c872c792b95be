#include "Ipv4.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

#include "config.h"

namespace k8slbrp {

uint32_t parse_ipv4(const std::string &leaf, const std::string &text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1)
    throw bad_value(leaf + ": \"" + text + "\" is not an IPv4 address, expected a.b.c.d");
  return address.s_addr;
}

// Not inet_ntop(), which takes longer than all else that is done to show a backend.
std::string format_ipv4(uint32_t address) {
  uint8_t octets[4];
  std::memcpy(octets, &address, sizeof octets);
  char text[INET_ADDRSTRLEN];
  char *end = text;
  for (const uint8_t octet : octets) {
    if (end != text) *end++ = '.';
    end = std::to_chars(end, text + sizeof text, octet).ptr;
  }
  return {text, end};
}

uint32_t prefix_mask(int length) { return htonl(length == 0 ? 0 : ~0U << (32 - length)); }

Ipv4Prefix parse_prefix(const std::string &leaf, const std::string &text) {
  const auto slash = text.find('/');
  const std::string digits = slash == std::string::npos ? "" : text.substr(slash + 1);
  Ipv4Prefix prefix;
  const char *end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, prefix.length);
  if (parsed.ec != std::errc() || parsed.ptr != end || prefix.length < 0 || prefix.length > 32)
    throw bad_value(leaf + ": \"" + text + "\" is not an IPv4 prefix, expected a.b.c.d/0..32");
  prefix.mask = prefix_mask(prefix.length);
  prefix.net = parse_ipv4(leaf, text.substr(0, slash)) & prefix.mask;
  return prefix;
}

}  // namespace k8slbrp
