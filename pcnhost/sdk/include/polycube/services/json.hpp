// The JSON type of the whole plug-in border: `nlohmann::json` keeps the order in which members were inserted.
//
// polycubed bundles nlohmann/json 3.5.0 patched to that effect; here the packaged library (3.11) provides it
// by making its ordered type the default one. A service must build with both: it keeps to the interface of
// 3.5.0 and never keeps a reference to one member while adding another.
#pragma once

#ifdef INCLUDE_NLOHMANN_JSON_HPP_
#error "include polycube/services/json.hpp only: plain nlohmann/json.hpp sorts the members of an object"
#endif

#define JSON_USE_GLOBAL_UDLS 0           // their literals build the sorted type
#define json sorted_json                 // frees the name that the library gives to its default, sorted type
#define contains not_before_json_3_6_0_  // the newer member that is missed most easily: use count()
#include <nlohmann/json.hpp>
#undef contains
#undef json

namespace nlohmann {
using json = ordered_json;
}
