#pragma once

#include <cstddef>
#include <string>

namespace ebpf {

// What the kernel knows about one map of a cube. Sizes in bytes.
class TableDesc {
 public:
  std::string name;
  int type;  // enum bpf_map_type
  std::size_t key_size;
  std::size_t leaf_size;
  std::size_t max_entries;
};

}  // namespace ebpf
