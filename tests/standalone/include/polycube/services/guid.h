#pragma once
#include <string>

namespace polycube::service {
class Guid {
 public:
  std::string str() const;
};
}  // namespace polycube::service
