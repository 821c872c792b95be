// Where handles on a cube's maps come from.
#pragma once

#include <fcntl.h>
#include <polycube/services/base_cube.h>
#include <polycube/services/table.h>
#include <unistd.h>

#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string>

namespace k8slbrp {

// Descriptors of maps that stay open. A recompilation keeps the maps but closes the host's descriptors, and
// polycubed does not stand a thread that asks for one meanwhile. So a thread that may run at any time has its
// own.
class OpenMaps {
 public:
  // `find` tells the host's descriptor of a map. Throws when there is none.
  template <class Find>
  OpenMaps(std::initializer_list<const char *> names, Find find) {
    for (const char *name : names) fds_[name].open(find(name), name);
  }

  int fd(const std::string &name) const { return fds_.at(name).number; }

 private:
  struct Descriptor {
    int number = -1;
    Descriptor() = default;
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    ~Descriptor() {
      if (number >= 0) close(number);
    }
    void open(int of_host, const char *name) {
      number = fcntl(of_host, F_DUPFD_CLOEXEC, 0);
      if (number < 0) throw std::runtime_error(std::string(name) + ": the map cannot be opened");
    }
  };

  std::map<std::string, Descriptor> fds_;
};

// Either of both: the host's descriptors of this moment, or those that stay open.
class Maps {
 public:
  Maps(polycube::service::BaseCube &cube) : cube_(&cube) {}
  Maps(const OpenMaps &open) : open_(&open) {}

  polycube::service::RawTable raw(const std::string &name) const {
    if (!open_) return cube_->get_raw_table(name);
    int fd = open_->fd(name);
    return polycube::service::RawTable(&fd);
  }

  template <class Value>
  polycube::service::ArrayTable<Value> array(const std::string &name) const {
    if (!open_) return cube_->get_array_table<Value>(name);
    int fd = open_->fd(name);
    return polycube::service::ArrayTable<Value>(&fd);
  }

  template <class Value>
  polycube::service::PercpuArrayTable<Value> percpu_array(const std::string &name) const {
    if (!open_) return cube_->get_percpuarray_table<Value>(name);
    int fd = open_->fd(name);
    return polycube::service::PercpuArrayTable<Value>(&fd);
  }

  template <class Key, class Value>
  polycube::service::HashTable<Key, Value> hash(const std::string &name) const {
    if (!open_) return cube_->get_hash_table<Key, Value>(name);
    int fd = open_->fd(name);
    return polycube::service::HashTable<Key, Value>(&fd);
  }

 private:
  polycube::service::BaseCube *cube_ = nullptr;
  const OpenMaps *open_ = nullptr;
};

}  // namespace k8slbrp
