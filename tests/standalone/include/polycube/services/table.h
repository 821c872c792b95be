#pragma once
// As installed: reaches into the Polycube tree, which is not installed.
#include "./../../../polycubed/src/utils/utils.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace polycube::service {
class RawTable {
 public:
  void get(const void *key, void *value);
  void set(const void *key, const void *value);
  void remove(const void *key);
  int first(void *key);
  int next(const void *key, void *next);
  int get_batch(void *keys, void *values, unsigned int *count, void *in_batch = nullptr, void *out_batch = nullptr);
  int get_and_delete_batch(void *keys, void *values, unsigned int *count, void *in_batch = nullptr,
                           void *out_batch = nullptr);
  int update_batch(void *keys, void *values, unsigned int *count);
};

template <class ValueType>
class ArrayTable : protected RawTable {
 public:
  ValueType get(const uint32_t &key);
  std::vector<std::pair<uint32_t, ValueType>> get_all();
  void set(const uint32_t &key, const ValueType &value);
};

template <class ValueType>
class PercpuArrayTable : protected RawTable {
 public:
  std::vector<ValueType> get(const uint32_t &key);
  std::vector<std::pair<uint32_t, std::vector<ValueType>>> get_all();
  void set(const uint32_t &key, const std::vector<ValueType> &value);
  void set(const uint32_t &key, const ValueType &value);
};

template <class KeyType, class ValueType>
class HashTable : protected RawTable {
 public:
  ValueType get(const KeyType &key);
  std::vector<std::pair<KeyType, ValueType>> get_all();
  void set(const KeyType &key, const ValueType &value);
  void remove(const KeyType &key);
  void remove_all();
};

template <class KeyType, class ValueType>
class PercpuHashTable : protected RawTable {
 public:
  std::vector<ValueType> get(const KeyType &key);
  std::vector<std::pair<KeyType, std::vector<ValueType>>> get_all();
  void set(const KeyType &key, const std::vector<ValueType> &value);
  void set(const KeyType &key, const ValueType &value);
  void remove(const KeyType &key);
  void remove_all();
};
}  // namespace polycube::service
