// IPv4 addresses and prefixes, in network byte order as packets and maps hold them.
#pragma once

#include <cstdint>
#include <string>

namespace k8slbrp {

// Parses `text`, the value of the leaf `leaf`. Throws bad_value unless it is four plain decimal octets.
uint32_t parse_ipv4(const std::string &leaf, const std::string &text);
std::string format_ipv4(uint32_t address);

uint32_t prefix_mask(int length);

struct Ipv4Prefix {
  uint32_t net = 0;  // host bits cleared
  uint32_t mask = 0;
  int length = 0;
};

// Parses "a.b.c.d/len". Throws bad_value.
Ipv4Prefix parse_prefix(const std::string &leaf, const std::string &text);

}  // namespace k8slbrp
