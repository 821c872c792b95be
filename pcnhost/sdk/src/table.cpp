#include "polycube/services/table.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <system_error>

#include "host_symbols.h"

namespace polycube::service {

namespace {

// `result` is negative after a failure, with the cause in errno.
void check(int result, const char *operation) {
  if (result >= 0) return;
  throw std::runtime_error(std::string("Table ") + operation +
                           " error: " + std::generic_category().message(errno));
}

}  // namespace

void RawTable::get(const void *key, void *value) {
  check(bpf_lookup_elem(fd_, const_cast<void *>(key), value), "get");
}

void RawTable::set(const void *key, const void *value) {
  check(bpf_update_elem(fd_, const_cast<void *>(key), const_cast<void *>(value), BPF_ANY), "set");
}

void RawTable::remove(const void *key) { check(bpf_delete_elem(fd_, const_cast<void *>(key)), "remove"); }

int RawTable::first(void *key) { return bpf_get_first_key(fd_, key, 0); }

int RawTable::next(const void *key, void *next) {
  return bpf_get_next_key(fd_, const_cast<void *>(key), next);
}

int RawTable::get_batch(void *keys, void *values, unsigned int *count, void *in_batch, void *out_batch) {
  return bpf_map_lookup_batch(fd_, in_batch, out_batch, keys, values, count, nullptr);
}

int RawTable::get_and_delete_batch(void *keys, void *values, unsigned int *count, void *in_batch,
                                   void *out_batch) {
  return bpf_map_lookup_and_delete_batch(fd_, in_batch, out_batch, keys, values, count, nullptr);
}

int RawTable::update_batch(void *keys, void *values, unsigned int *count) {
  return bpf_map_update_batch(fd_, keys, values, count, nullptr);
}

RawQueueStackTable::RawQueueStackTable(void *fd) : fd_(*static_cast<int *>(fd)) {
  if (!polycubed::utils::check_kernel_version("5.0.0"))
    throw std::runtime_error("Queue and stack tables need kernel 5.0 or newer");
}

int RawQueueStackTable::pop(void *value) { return bpf_map_lookup_and_delete_elem(fd_, nullptr, value); }

int RawQueueStackTable::push(const void *value) { return bpf_map_update_elem(fd_, nullptr, value, BPF_ANY); }

}  // namespace polycube::service
