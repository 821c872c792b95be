// Bundled by Polycube: nlohmann/json 3.5.0, patched so that members keep their order.
#pragma once
#define JSON_USE_GLOBAL_UDLS 0
#define json sorted_json
#include <nlohmann/json.hpp>
#undef json

namespace nlohmann {
using json = ordered_json;
}
