#pragma once
#include <functional>
#include <string>

namespace polycube::service {
typedef std::function<void(const std::string, const std::string)> ParameterEventCallback;
}
