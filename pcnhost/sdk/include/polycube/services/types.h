#pragma once

#include <functional>
#include <string>

namespace polycube::service {

// Called with (parameter name, new value) when a parameter of a port's peer changes.
using ParameterEventCallback = std::function<void(const std::string, const std::string)>;

}  // namespace polycube::service
