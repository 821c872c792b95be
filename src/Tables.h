// The cube's maps with their types. Handles hold file descriptors that a recompilation closes, so each REST
// operation gets them anew and none keeps them.
#pragma once

#include <polycube/services/base_cube.h>
#include <polycube/services/table.h>

#include "datapath/abi.h"

namespace k8slbrp {

struct ServiceMaps {
  polycube::service::HashTable<abi::service_key, abi::service> services;
  polycube::service::HashTable<uint32_t, uint32_t> vips;
  polycube::service::HashTable<uint32_t, abi::chunk> slots;
  polycube::service::HashTable<abi::backend_key, uint32_t> backends;
  polycube::service::ArrayTable<uint32_t> removals;

  explicit ServiceMaps(polycube::service::BaseCube &cube)
      : services(cube.get_hash_table<abi::service_key, abi::service>("services")),
        vips(cube.get_hash_table<uint32_t, uint32_t>("vips")),
        slots(cube.get_hash_table<uint32_t, abi::chunk>("slots")),
        backends(cube.get_hash_table<abi::backend_key, uint32_t>("backends")),
        removals(cube.get_array_table<uint32_t>("removals")) {}
};

struct PortMaps {
  polycube::service::ArrayTable<abi::port> ports;
  polycube::service::HashTable<uint32_t, uint16_t> frontends;

  explicit PortMaps(polycube::service::BaseCube &cube)
      : ports(cube.get_array_table<abi::port>("ports")),
        frontends(cube.get_hash_table<uint32_t, uint16_t>("frontends")) {}
};

}  // namespace k8slbrp
