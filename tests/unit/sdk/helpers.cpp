// The helper functions of the SDK. Prints what is wrong; the exit status is the number of failures.
#include <polycube/common.h>
#include <polycube/services/json.hpp>
#include <polycube/services/utils.h>

#include <cstring>
#include <functional>
#include <iostream>

using namespace polycube::service::utils;

namespace {

int failures = 0;

template <class Got, class Wanted>
void expect(const Got &got, const Wanted &wanted, int line) {
  if (got == wanted) return;
  std::cout << "line " << line << ": wanted \"" << wanted << "\", got \"" << got << "\"\n";
  ++failures;
}

std::string error_of(const std::function<void()> &work) {
  try {
    work();
  } catch (const std::exception &error) {
    return error.what();
  }
  return "no error";
}

#define EXPECT(got, wanted) expect(got, wanted, __LINE__)
#define ERROR(work) error_of([&] { work; })

void addresses() {
  uint32_t ip = ip_string_to_nbo_uint("10.0.1.2");
  const uint8_t bytes[] = {10, 0, 1, 2};
  EXPECT(std::memcmp(&ip, bytes, 4), 0);
  EXPECT(ip_string_to_nbo_uint("10.0.1.2/24"), ip);
  EXPECT(nbo_uint_to_ip_string(ip), "10.0.1.2");
  EXPECT(nbo_uint_to_ip_string(ip_string_to_nbo_uint("256.0.0.1")), "0.0.0.1");
  EXPECT(ERROR(ip_string_to_nbo_uint("10.0.1")), "Not an ipv4 address 10.0.1");

  uint64_t mac = mac_string_to_nbo_uint("02:00:00:aa:bb:0c");
  const uint8_t mac_bytes[] = {0x02, 0, 0, 0xaa, 0xbb, 0x0c, 0, 0};
  EXPECT(std::memcmp(&mac, mac_bytes, 8), 0);
  EXPECT(nbo_uint_to_mac_string(mac), "02:00:00:aa:bb:0c");
  for (const char *wrong : {"", "02:00:00:aa:bb", "02:00:00:aa:bb:0c:", "02-00-00-aa-bb-0c"})
    EXPECT(ERROR(mac_string_to_nbo_uint(wrong)), std::string("invalid mac address format ") + wrong);
  EXPECT(nbo_uint_to_mac_string(mac_string_to_nbo_uint(get_random_mac())).size(), 17u);
  EXPECT(mac_string_to_nbo_uint(get_random_mac()) & 3, 2u);  // unicast, locally administered
}

void prefixes() {
  EXPECT(get_ip_from_string("10.0.0.1/24"), "10.0.0.1");
  EXPECT(get_netmask_from_string("10.0.0.1/24"), "24");
  std::string ip, netmask;
  split_ip_and_prefix("10.0.0.1/8", ip, netmask);
  EXPECT(ip + " " + netmask, "10.0.0.1 8");
  EXPECT(get_netmask_length("255.255.240.0"), 20u);
  EXPECT(ERROR(get_netmask_length("255.255")), "IP Address is not in a valid format");
  EXPECT(get_netmask_from_prefixlength(20), "255.255.240.0");
  EXPECT(get_netmask_from_prefixlength(0), "0.0.0.0");
  EXPECT(get_netmask_from_prefixlength(32), "255.255.255.255");
}

void log_texts() {
  uint64_t args[4] = {ip_string_to_nbo_uint("10.1.2.3"), 0x5000, mac_string_to_nbo_uint("02:00:00:00:00:01"),
                      static_cast<uint64_t>(-5)};
  EXPECT(format_debug_string("%I %P %M %d", args), "10.1.2.3 80 02:00:00:00:00:01 -5");
  uint64_t numbers[4] = {255, 7, 65, 1};
  EXPECT(format_debug_string("%04x|%3u|%c|%llu|%d", numbers), "00ff|  7|A|1|%d");
  EXPECT(format_debug_string("100%% %s %", numbers), "100% %s %");
  EXPECT(format_debug_string("{} {0}", numbers), "{} {0}");
}

void levels() {
  using polycube::LogLevel;
  EXPECT(polycube::logLevelString(LogLevel::WARN), "WARN");
  EXPECT(polycube::stringLogLevel("debug") == LogLevel::DEBUG, true);
  EXPECT(polycube::stringLogLevel("Off") == LogLevel::OFF, true);
  EXPECT(polycube::logLevelToSPDLog(LogLevel::CRITICAL) == spdlog::level::critical, true);
  EXPECT(polycube::iequals("xdp_SKB", polycube::cube_type_to_string(polycube::service::CubeType::XDP_SKB)),
         true);
  EXPECT(polycube::port_status_to_string(polycube::service::PortStatus::UP), "UP");
  EXPECT(polycube::get_possible_cpu_count() > 0, true);
}

void json_keeps_the_order_of_members() {
  auto object = nlohmann::json::parse(R"({"z": 1, "a": 2})");
  object["m"] = 3;
  object["z"] = 4;
  EXPECT(object.dump(), R"({"z":4,"a":2,"m":3})");
}

}  // namespace

int main() {
  addresses();
  prefixes();
  log_texts();
  levels();
  json_keeps_the_order_of_members();
  return failures;
}
