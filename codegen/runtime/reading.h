// How a service hands over what it is asked to read.
#pragma once

#include <functional>

namespace codegen {

// How much of an entry or a container is wanted: its own leaves, or what it contains, too.
enum class Depth { Leaves, All };

// Takes one entry of a list after the other.
template <typename Entry>
using Show = std::function<void(const Entry &)>;

}  // namespace codegen
