#include "polycube/services/utils.h"

#include <arpa/inet.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>

namespace polycube::service::utils {

uint32_t ip_string_to_nbo_uint(const std::string &ip) {
  unsigned int parts[4];
  if (std::sscanf(ip.c_str(), "%u.%u.%u.%u", &parts[0], &parts[1], &parts[2], &parts[3]) != 4)
    throw std::runtime_error("Not an ipv4 address " + ip);
  uint32_t address = 0;
  for (unsigned int part : parts)
    address = address << 8 | (part & 0xff);  // too big a part wraps, as in polycubed
  return htonl(address);
}

std::string nbo_uint_to_ip_string(uint32_t ip) {
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &ip, text, sizeof(text));
}

uint64_t mac_string_to_nbo_uint(const std::string &mac) {
  std::array<uint8_t, 8> bytes{};
  int length = -1;
  std::sscanf(mac.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &bytes[0], &bytes[1], &bytes[2],
              &bytes[3], &bytes[4], &bytes[5], &length);
  if (length != static_cast<int>(mac.size())) throw std::runtime_error("invalid mac address format " + mac);
  uint64_t value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

std::string nbo_uint_to_mac_string(uint64_t mac) {
  std::array<uint8_t, 8> bytes;
  std::memcpy(bytes.data(), &mac, sizeof(mac));
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
                bytes[4], bytes[5]);
  return text;
}

std::string get_random_mac() {
  std::random_device random;
  std::array<uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<uint8_t>(random());
  bytes[0] = static_cast<uint8_t>((bytes[0] & 0xfc) | 0x02);  // unicast, locally administered
  uint64_t value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return nbo_uint_to_mac_string(value);
}

std::string get_ip_from_string(const std::string &cidr) { return cidr.substr(0, cidr.find('/')); }

std::string get_netmask_from_string(const std::string &cidr) {
  auto slash = cidr.find('/');
  return slash == std::string::npos ? "" : cidr.substr(slash + 1);
}

void split_ip_and_prefix(const std::string &cidr, std::string &ip, std::string &netmask) {
  ip = get_ip_from_string(cidr);
  netmask = get_netmask_from_string(cidr);
}

uint32_t get_netmask_length(const std::string &netmask) {
  in_addr mask;
  if (inet_pton(AF_INET, netmask.c_str(), &mask) != 1)
    throw std::runtime_error("IP Address is not in a valid format");
  return static_cast<uint32_t>(__builtin_popcount(mask.s_addr));
}

std::string get_netmask_from_prefixlength(int length) {
  uint32_t mask = length <= 0 ? 0 : length >= 32 ? ~0u : ~0u << (32 - length);
  return nbo_uint_to_ip_string(htonl(mask));
}

uint64_t hex_string_to_uint(const std::string &text) { return std::stoull(text, nullptr, 16); }

namespace {

// One argument after the flags, width and length in `spec` ("%08ll"), as the conversion letter asks.
std::string convert(std::string spec, char letter, uint64_t value) {
  spec.erase(spec.find_last_not_of("hljztq") + 1);
  char text[64];
  switch (letter) {
    case 'I':
      return nbo_uint_to_ip_string(static_cast<uint32_t>(value));
    case 'P':
      return std::to_string(ntohs(static_cast<uint16_t>(value)));
    case 'M':
      return nbo_uint_to_mac_string(value);
    case 'c':
      return std::string(1, static_cast<char>(value));
    case 'p':
      spec += "#";
      letter = 'x';
      break;
    default:
      break;
  }
  std::snprintf(text, sizeof(text), (spec + "ll" + letter).c_str(), static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

std::string format_debug_string(const std::string &format, const uint64_t args[4]) {
  std::string text;
  int used = 0;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      text += format[at++];
      continue;
    }
    std::size_t end = format.find_first_not_of("-+ #0123456789.hljztq", at + 1);
    if (end == std::string::npos) return text + format.substr(at);
    std::string spec = format.substr(at, end - at);
    char letter = format[end];
    at = end + 1;
    if (letter == '%') {
      text += '%';
    } else if (std::strchr("diouxXcpIPM", letter) && used < 4) {
      text += convert(spec, letter, args[used++]);
    } else {
      text += spec + letter;  // not a conversion of an integer: shown as written
    }
  }
  return text;
}

}  // namespace polycube::service::utils
