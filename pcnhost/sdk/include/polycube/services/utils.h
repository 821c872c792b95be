// Text conversions for addresses. "nbo" numbers hold the address in network byte order in memory.
#pragma once

#include <cstdint>
#include <string>

namespace polycube::service::utils {

// "10.0.0.1" or "10.0.0.1/24" (the length is ignored). Throws runtime_error "Not an ipv4 address <text>".
uint32_t ip_string_to_nbo_uint(const std::string &ip);
std::string nbo_uint_to_ip_string(uint32_t ip);

// "aa:bb:cc:dd:ee:ff" in the six low bytes. Throws runtime_error "invalid mac address format <text>".
uint64_t mac_string_to_nbo_uint(const std::string &mac);
std::string nbo_uint_to_mac_string(uint64_t mac);
std::string get_random_mac();

// The two sides of the slash in "10.0.0.1/24".
std::string get_ip_from_string(const std::string &cidr);
std::string get_netmask_from_string(const std::string &cidr);
void split_ip_and_prefix(const std::string &cidr, std::string &ip, std::string &netmask);

// "255.255.255.0" <-> 24. The first throws runtime_error "IP Address is not in a valid format".
uint32_t get_netmask_length(const std::string &netmask);
std::string get_netmask_from_prefixlength(int length);

uint64_t hex_string_to_uint(const std::string &text);

// Text of a datapath log message: printf's integer conversions plus %I (IPv4), %P (port), %M (MAC), all in
// network order.
std::string format_debug_string(const std::string &format, const uint64_t args[4]);

}  // namespace polycube::service::utils
