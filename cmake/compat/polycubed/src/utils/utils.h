// The installed polycube/services/table.h includes this file by a path relative to an include directory that is three
// levels deep in the Polycube tree (here: src/libs/polycube), for one function.
#pragma once

#include <string>

namespace polycube::polycubed::utils {
bool check_kernel_version(const std::string &version);
}
