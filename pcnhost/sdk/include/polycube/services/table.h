// Typed access to the maps of a cube.
//
// A table object holds the number of a map's file descriptor, which belongs to the host and closes when the
// program is recompiled (reload, log level, peers): get the object anew for each operation. Every failure is
// a runtime_error such as "Table get error: No such file or directory".
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ebpf {

class BPFTable {
 public:
  static std::size_t get_possible_cpu_count();  // defined by the host process
};

}  // namespace ebpf

namespace polycube::service {

class RawTable {
 public:
  void get(const void *key, void *value);
  void set(const void *key, const void *value);
  void remove(const void *key);

  // Step through the keys; 0 while there is one.
  int first(void *key);
  int next(const void *key, void *next);

  // Several entries in one system call; `count` is in and out; the cursors are opaque, NULL for one whole
  // pass.
  int get_batch(void *keys, void *values, unsigned int *count, void *in_batch = nullptr,
                void *out_batch = nullptr);
  int get_and_delete_batch(void *keys, void *values, unsigned int *count, void *in_batch = nullptr,
                           void *out_batch = nullptr);
  int update_batch(void *keys, void *values, unsigned int *count);

  // On the map with the file descriptor at `fd`, an int, which the handle does not own.
  explicit RawTable(void *fd) : fd_(*static_cast<int *>(fd)) {}

 private:
  int fd_;
};

class RawQueueStackTable {
 public:
  // 0 when done; negative when empty or full, or for any other cause in errno.
  int pop(void *value);
  int push(const void *value);

  explicit RawQueueStackTable(void *fd);  // throws on kernels without queues and stacks (before 5.0)

 private:
  int fd_;
};

namespace detail {

// The kernel hands out the per-CPU values of a key with each rounded up to 8 bytes.
template <class ValueType>
class PercpuValues {
 public:
  PercpuValues() : bytes_(ebpf::BPFTable::get_possible_cpu_count() * kStride) {}

  void *data() { return bytes_.data(); }

  std::vector<ValueType> unpack() const {
    std::vector<ValueType> values(bytes_.size() / kStride);
    for (std::size_t cpu = 0; cpu < values.size(); ++cpu)
      std::memcpy(&values[cpu], &bytes_[cpu * kStride], sizeof(ValueType));
    return values;
  }

  void pack(const std::vector<ValueType> &values) {
    if (values.size() * kStride != bytes_.size())
      throw std::runtime_error("Table set error: one value for each CPU is needed");
    for (std::size_t cpu = 0; cpu < values.size(); ++cpu)
      std::memcpy(&bytes_[cpu * kStride], &values[cpu], sizeof(ValueType));
  }

  void fill(const ValueType &value) { pack(std::vector<ValueType>(bytes_.size() / kStride, value)); }

 private:
  static constexpr std::size_t kStride = (sizeof(ValueType) + 7) / 8 * 8;
  std::vector<unsigned char> bytes_;
};

// Calls `visit(key)` for every key; removing the visited key is not allowed.
template <class KeyType, class Visit>
void for_each_key(RawTable &table, Visit visit) {
  KeyType key, next;
  for (int end = table.first(&key); end == 0; key = next) {
    visit(key);
    end = table.next(&key, &next);
  }
}

}  // namespace detail

template <class ValueType>
class ArrayTable : protected RawTable {
 public:
  ValueType get(const uint32_t &key) {
    ValueType value;
    RawTable::get(&key, &value);
    return value;
  }

  std::vector<std::pair<uint32_t, ValueType>> get_all() {
    std::vector<std::pair<uint32_t, ValueType>> entries;
    detail::for_each_key<uint32_t>(*this, [&](uint32_t key) { entries.emplace_back(key, get(key)); });
    return entries;
  }

  void set(const uint32_t &key, const ValueType &value) { RawTable::set(&key, &value); }

  using RawTable::RawTable;
};

template <class ValueType>
class PercpuArrayTable : protected RawTable {
 public:
  std::vector<ValueType> get(const uint32_t &key) {
    detail::PercpuValues<ValueType> values;
    RawTable::get(&key, values.data());
    return values.unpack();
  }

  std::vector<std::pair<uint32_t, std::vector<ValueType>>> get_all() {
    std::vector<std::pair<uint32_t, std::vector<ValueType>>> entries;
    detail::for_each_key<uint32_t>(*this, [&](uint32_t key) { entries.emplace_back(key, get(key)); });
    return entries;
  }

  void set(const uint32_t &key, const std::vector<ValueType> &value) {
    detail::PercpuValues<ValueType> values;
    values.pack(value);
    RawTable::set(&key, values.data());
  }

  void set(const uint32_t &key, const ValueType &value) {
    detail::PercpuValues<ValueType> values;
    values.fill(value);
    RawTable::set(&key, values.data());
  }

  using RawTable::RawTable;
};

namespace detail {

// What plain and per-CPU hash tables have in common.
template <class KeyType>
class HashBase : protected RawTable {
 public:
  void remove(const KeyType &key) { RawTable::remove(&key); }

  void remove_all() {
    KeyType key;
    while (first(&key) == 0) remove(key);
  }

 protected:
  using RawTable::RawTable;
};

}  // namespace detail

// Also for LPM tries.
template <class KeyType, class ValueType>
class HashTable : public detail::HashBase<KeyType> {
 public:
  ValueType get(const KeyType &key) {
    ValueType value;
    RawTable::get(&key, &value);
    return value;
  }

  std::vector<std::pair<KeyType, ValueType>> get_all() {
    std::vector<std::pair<KeyType, ValueType>> entries;
    detail::for_each_key<KeyType>(*this, [&](const KeyType &key) { entries.emplace_back(key, get(key)); });
    return entries;
  }

  void set(const KeyType &key, const ValueType &value) { RawTable::set(&key, &value); }

  using detail::HashBase<KeyType>::HashBase;
};

template <class KeyType, class ValueType>
class PercpuHashTable : public detail::HashBase<KeyType> {
 public:
  std::vector<ValueType> get(const KeyType &key) {
    detail::PercpuValues<ValueType> values;
    RawTable::get(&key, values.data());
    return values.unpack();
  }

  std::vector<std::pair<KeyType, std::vector<ValueType>>> get_all() {
    std::vector<std::pair<KeyType, std::vector<ValueType>>> entries;
    detail::for_each_key<KeyType>(*this, [&](const KeyType &key) { entries.emplace_back(key, get(key)); });
    return entries;
  }

  void set(const KeyType &key, const std::vector<ValueType> &value) {
    detail::PercpuValues<ValueType> values;
    values.pack(value);
    RawTable::set(&key, values.data());
  }

  void set(const KeyType &key, const ValueType &value) {
    detail::PercpuValues<ValueType> values;
    values.fill(value);
    RawTable::set(&key, values.data());
  }

  using detail::HashBase<KeyType>::HashBase;
};

template <class ValueType>
class QueueStackTable : protected RawQueueStackTable {
 public:
  // These two do not tell whether they could: an empty queue gives a zero value.
  ValueType pop() {
    ValueType value{};
    RawQueueStackTable::pop(&value);
    return value;
  }

  void push(const ValueType &value) { RawQueueStackTable::push(&value); }

  using RawQueueStackTable::RawQueueStackTable;
};

}  // namespace polycube::service
