// The cube's maps with their types. Handles hold file descriptors that a recompilation closes, so each REST
// operation gets them anew and none keeps them.
#pragma once

#include <polycube/services/base_cube.h>
#include <polycube/services/table.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "Maps.h"
#include "datapath/abi.h"
#include "config.h"

namespace k8slbrp {

// A hash map, or an LPM trie, that says its name when it has no room, and for which removing what is not
// there is no failure.
template <class Key, class Value>
class HashMap {
 public:
  HashMap(const Maps &maps, const std::string &name) : name_(name), table_(maps.hash<Key, Value>(name)) {}

  void set(const Key &key, const Value &value) {
    try {
      table_.set(key, value);
    } catch (const std::runtime_error &failure) {
      fail(failure);
    }
  }

  std::optional<Value> find(const Key &key) {
    try {
      return table_.get(key);
    } catch (const std::runtime_error &failure) {
      if (!says(failure, "No such file or directory")) throw;
      return std::nullopt;
    }
  }

  // Whether it was there.
  bool remove(const Key &key) {
    try {
      table_.remove(key);
      return true;
    } catch (const std::runtime_error &failure) {
      if (!says(failure, "No such file or directory")) throw;
      return false;
    }
  }

  std::vector<std::pair<Key, Value>> get_all() { return table_.get_all(); }

 private:
  static bool says(const std::runtime_error &failure, const char *text) {
    return std::string(failure.what()).find(text) != std::string::npos;
  }

  [[noreturn]] void fail(const std::runtime_error &failure) const {
    if (says(failure, "Argument list too long") || says(failure, "No space left on device"))
      throw bad_value(name_ + ": the table is full");
    if (says(failure, "Cannot allocate memory"))
      throw bad_value(name_ + ": the kernel has no memory for another entry");
    throw std::runtime_error(name_ + ": " + failure.what());
  }

  std::string name_;
  polycube::service::HashTable<Key, Value> table_;
};

struct ServiceMaps {
  HashMap<abi::service_key, abi::service> services;
  HashMap<uint32_t, uint32_t> vips;
  HashMap<uint32_t, abi::chunk> chunks;
  HashMap<abi::service_key, uint32_t> endpoints;
  HashMap<abi::source_range, uint32_t> source_ranges;
  polycube::service::ArrayTable<uint32_t> removals;
  polycube::service::ArrayTable<uint64_t> known;

  explicit ServiceMaps(polycube::service::BaseCube &cube)
      : services(cube, "services"),
        vips(cube, "vips"),
        chunks(cube, "chunks"),
        endpoints(cube, "endpoints"),
        source_ranges(cube, "source_ranges"),
        removals(cube.get_array_table<uint32_t>("removals")),
        known(cube.get_array_table<uint64_t>("known")) {}
};

struct PortMaps {
  polycube::service::ArrayTable<abi::port> ports;
  HashMap<uint32_t, uint16_t> frontends;

  explicit PortMaps(polycube::service::BaseCube &cube)
      : ports(cube.get_array_table<abi::port>("ports")), frontends(cube, "frontends") {}
};

}  // namespace k8slbrp
