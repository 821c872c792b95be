// What a service library expects to find in the process (see host_symbols.h), over libbpf.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/utsname.h>

#include <cstdio>
#include <stdexcept>
#include <tuple>

#include "../src/host_symbols.h"
#include "host.h"
#include "polycube/services/table.h"

#define PCNHOST_EXPORT __attribute__((visibility("default")))

extern "C" {

PCNHOST_EXPORT int bpf_update_elem(int fd, void *key, void *value, unsigned long long flags) {
  return bpf_map_update_elem(fd, key, value, flags);
}

PCNHOST_EXPORT int bpf_lookup_elem(int fd, void *key, void *value) {
  return bpf_map_lookup_elem(fd, key, value);
}

PCNHOST_EXPORT int bpf_delete_elem(int fd, void *key) { return bpf_map_delete_elem(fd, key); }

// Kernels before 4.12 had no first key and needed a buffer of the key's size.
PCNHOST_EXPORT int bpf_get_first_key(int fd, void *key, std::size_t) {
  return bpf_map_get_next_key(fd, nullptr, key);
}

PCNHOST_EXPORT int bpf_get_next_key(int fd, void *key, void *next_key) {
  return bpf_map_get_next_key(fd, key, next_key);
}

PCNHOST_EXPORT void pcnhost_log(const char *name, int level, const char *text, std::size_t length) {
  if (auto *log = pcnhost::log_function().load()) log(name, level, text, length);
}
}

PCNHOST_EXPORT std::size_t ebpf::BPFTable::get_possible_cpu_count() {
  int count = libbpf_num_possible_cpus();
  if (count < 0) throw std::runtime_error("cannot count the CPUs");
  return static_cast<std::size_t>(count);
}

namespace {

std::tuple<int, int, int> parse_version(const char *text) {
  int major = 0, minor = 0, patch = 0;
  std::sscanf(text, "%d.%d.%d", &major, &minor, &patch);
  return {major, minor, patch};
}

}  // namespace

PCNHOST_EXPORT bool polycube::polycubed::utils::check_kernel_version(const std::string &version) {
  utsname running;
  uname(&running);
  return parse_version(running.release) >= parse_version(version.c_str());
}
