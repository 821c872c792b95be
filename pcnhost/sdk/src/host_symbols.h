// Symbols that a service library leaves undefined and finds in the process that loads it. polycubed has them
// from BCC and from itself, here libpcnhost.so defines them. (libbpf's own functions and ebpf::BPFTable
// belong to the same set.)
#pragma once

#include <cstddef>
#include <string>

extern "C" {

// Each returns 0, or a negative number with the cause in errno.
int bpf_update_elem(int fd, void *key, void *value, unsigned long long flags);
int bpf_lookup_elem(int fd, void *key, void *value);
int bpf_delete_elem(int fd, void *key);
int bpf_get_first_key(int fd, void *key, std::size_t key_size);
int bpf_get_next_key(int fd, void *key, void *next_key);

// Logs a line of `length` bytes under `name`; spdlog's numbers for the levels. Not in polycubed.
void pcnhost_log(const char *name, int level, const char *text, std::size_t length);
}

namespace polycube::polycubed::utils {

// Whether the running kernel is at least `version` ("5.0" or "5.0.0").
bool check_kernel_version(const std::string &version);

}  // namespace polycube::polycubed::utils
