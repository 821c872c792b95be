#pragma once
#include <cstdint>
#include <string>

namespace polycube::service::utils {
uint32_t ip_string_to_nbo_uint(const std::string &ip);
std::string nbo_uint_to_ip_string(uint32_t ip);
uint64_t mac_string_to_nbo_uint(const std::string &mac);
std::string nbo_uint_to_mac_string(uint64_t mac);
std::string get_random_mac();
std::string get_ip_from_string(const std::string &ipv_net);
std::string get_netmask_from_string(const std::string &ipv_net);
uint32_t get_netmask_length(const std::string &netmask_string);
std::string get_netmask_from_prefixlength(const int prefixlength);
void split_ip_and_prefix(const std::string &ip_and_prefix, std::string &ip, std::string &netmask);
}  // namespace polycube::service::utils
