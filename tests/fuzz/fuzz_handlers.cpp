// Calls of the handlers as a host makes them, made of random bytes: keys of the right types, any body. A
// refused call must change nothing, and whatever is answered must be JSON or a text.
#include <fuzzer/FuzzedDataProvider.h>
#include <polycube/services/json.hpp>
#include <polycube/services/response.h>
#include <polycube/services/shared_lib_elements.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "fake_host.h"

extern "C" void init(polycube::service::CubeFactory *factory, const char *logfile);

using Read = Response(const char *cube, const Key *keys, size_t count);
using Write = Response(const char *cube, const Key *keys, size_t count, const char *body);

// The handlers by their keys.
#define LISTS(READ, WRITE)                                                 \
  WRITE(create_k8slbrp_by_id_handler, kCube)                               \
  WRITE(update_k8slbrp_by_id_handler, kCube)                               \
  WRITE(update_k8slbrp_list_by_id_handler, kCube)                          \
  READ(read_k8slbrp_list_by_id_handler, kCube)                             \
  READ(delete_k8slbrp_by_id_handler, kCube)                                \
  WRITE(create_k8slbrp_ports_by_id_handler, kPort)                         \
  WRITE(create_k8slbrp_ports_list_by_id_handler, kCube)                    \
  WRITE(replace_k8slbrp_ports_by_id_handler, kPort)                        \
  WRITE(replace_k8slbrp_ports_list_by_id_handler, kCube)                   \
  WRITE(update_k8slbrp_ports_by_id_handler, kPort)                         \
  WRITE(update_k8slbrp_ports_list_by_id_handler, kCube)                    \
  WRITE(update_k8slbrp_ports_type_by_id_handler, kPort)                    \
  WRITE(update_k8slbrp_ports_ip_by_id_handler, kPort)                      \
  READ(read_k8slbrp_ports_by_id_handler, kPort)                            \
  READ(read_k8slbrp_ports_ip_by_id_handler, kPort)                         \
  READ(k8slbrp_ports_list_by_id_help, kCube)                               \
  READ(delete_k8slbrp_ports_by_id_handler, kPort)                          \
  READ(delete_k8slbrp_ports_list_by_id_handler, kCube)                     \
  WRITE(replace_k8slbrp_src_ip_rewrite_by_id_handler, kCube)               \
  WRITE(update_k8slbrp_src_ip_rewrite_by_id_handler, kCube)                \
  READ(delete_k8slbrp_src_ip_rewrite_by_id_handler, kCube)                 \
  WRITE(replace_k8slbrp_timeouts_by_id_handler, kCube)                     \
  WRITE(update_k8slbrp_timeouts_by_id_handler, kCube)                      \
  WRITE(update_k8slbrp_timeouts_icmp_by_id_handler, kCube)                 \
  READ(delete_k8slbrp_timeouts_by_id_handler, kCube)                       \
  WRITE(update_k8slbrp_unserved_ports_by_id_handler, kCube)                \
  WRITE(update_k8slbrp_port_mode_by_id_handler, kCube)                     \
  WRITE(create_k8slbrp_service_by_id_handler, kService)                    \
  WRITE(create_k8slbrp_service_list_by_id_handler, kCube)                  \
  WRITE(replace_k8slbrp_service_by_id_handler, kService)                   \
  WRITE(replace_k8slbrp_service_list_by_id_handler, kCube)                 \
  WRITE(update_k8slbrp_service_by_id_handler, kService)                    \
  WRITE(update_k8slbrp_service_list_by_id_handler, kCube)                  \
  WRITE(update_k8slbrp_service_name_by_id_handler, kService)               \
  WRITE(update_k8slbrp_service_session_affinity_by_id_handler, kService)   \
  WRITE(update_k8slbrp_service_affinity_timeout_by_id_handler, kService)   \
  READ(read_k8slbrp_service_by_id_handler, kService)                       \
  READ(read_k8slbrp_service_name_by_id_handler, kService)                  \
  READ(k8slbrp_service_list_by_id_help, kCube)                             \
  READ(delete_k8slbrp_service_by_id_handler, kService)                     \
  READ(delete_k8slbrp_service_list_by_id_handler, kCube)                   \
  WRITE(create_k8slbrp_service_backend_by_id_handler, kBackend)            \
  WRITE(create_k8slbrp_service_backend_list_by_id_handler, kService)       \
  WRITE(replace_k8slbrp_service_backend_by_id_handler, kBackend)           \
  WRITE(replace_k8slbrp_service_backend_list_by_id_handler, kService)      \
  WRITE(update_k8slbrp_service_backend_by_id_handler, kBackend)            \
  WRITE(update_k8slbrp_service_backend_list_by_id_handler, kService)       \
  WRITE(update_k8slbrp_service_backend_weight_by_id_handler, kBackend)     \
  WRITE(update_k8slbrp_service_backend_state_by_id_handler, kBackend)      \
  READ(read_k8slbrp_service_backend_by_id_handler, kBackend)               \
  READ(delete_k8slbrp_service_backend_by_id_handler, kBackend)             \
  READ(delete_k8slbrp_service_backend_list_by_id_handler, kService)        \
  WRITE(create_k8slbrp_service_source_range_by_id_handler, kRange)         \
  WRITE(create_k8slbrp_service_source_range_list_by_id_handler, kService)  \
  WRITE(replace_k8slbrp_service_source_range_list_by_id_handler, kService) \
  READ(read_k8slbrp_service_source_range_by_id_handler, kRange)            \
  READ(delete_k8slbrp_service_source_range_by_id_handler, kRange)          \
  READ(delete_k8slbrp_service_source_range_list_by_id_handler, kService)

#define DECLARE_READ(name, keys) extern "C" Read name;
#define DECLARE_WRITE(name, keys) extern "C" Write name;
LISTS(DECLARE_READ, DECLARE_WRITE)
extern "C" Read read_k8slbrp_by_id_handler;

namespace {

enum Level { kCube, kPort, kService, kBackend, kRange };

struct Handler {
  const char *name;
  Read *read;
  Write *write;
  Level keys;
};

#define READ_ENTRY(name, keys) {#name, name, nullptr, keys},
#define WRITE_ENTRY(name, keys) {#name, nullptr, name, keys},
constexpr Handler kHandlers[] = {LISTS(READ_ENTRY, WRITE_ENTRY)};

constexpr char kName[] = "lb";
constexpr int kMostCalls = 12;

const char *pick(FuzzedDataProvider &data, const std::vector<const char *> &choices) {
  return choices[data.ConsumeIntegralInRange<std::size_t>(0, choices.size() - 1)];
}

// Keys live as long as this.
struct Keys {
  explicit Keys(FuzzedDataProvider &data) : odd(data.ConsumeRandomLengthString(12)) {}

  void text(const char *name, const char *value) {
    Key key{name, STRING, {}};
    key.value.string = value;
    keys.push_back(key);
  }

  void fill(FuzzedDataProvider &data, Level level) {
    if (level == kPort) text("ports_name", pick(data, {"p", "q", odd.c_str()}));
    if (level < kService) return;
    text("vip", pick(data, {"10.9.0.1", "10.9.0.2", odd.c_str()}));
    Key port{"vport", UINT16, {}};
    port.value.uint16 = data.ConsumeBool() ? 80 : data.ConsumeIntegral<uint16_t>();
    keys.push_back(port);
    text("proto", pick(data, {"TCP", "UDP", "ICMP", "ALL", odd.c_str()}));
    if (level == kBackend) text("ip", pick(data, {"10.1.0.1", "10.1.0.2", odd.c_str()}));
    if (level == kRange) {
      text("address", pick(data, {"10.0.0.0", odd.c_str()}));
      Key length{"prefix-length", UINT8, {}};
      length.value.uint8 = data.ConsumeIntegral<uint8_t>();
      keys.push_back(length);
    }
  }

  const std::string odd;
  std::vector<Key> keys;
};

struct Answer {
  ErrorTag tag;
  std::string text;
};

Answer taken(Response response) {
  Answer answer{response.error_tag, response.message ? response.message : ""};
  std::free(response.message);
  return answer;
}

// The whole cube; empty when there is none.
std::string tree() {
  const Answer answer = taken(read_k8slbrp_by_id_handler(kName, nullptr, 0));
  return answer.tag == kOk ? answer.text : "";
}

void fail(const Handler &handler, const std::string &body, const char *what) {
  std::fprintf(stderr, "%s with body %s: %s\n", handler.name, body.c_str(), what);
  std::abort();
}

// Few sessions: each answer walks through the table of them.
constexpr const char *kCubeConfig =
    R"({"name":"lb","type":"TC","loglevel":"OFF","shadow":false,"span":false,"max-sessions":1024})";

}  // namespace

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
  init(&fake_host(), "/dev/null");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, std::size_t size) {
  FuzzedDataProvider data(bytes, size);
  const Answer made = taken(create_k8slbrp_by_id_handler(kName, nullptr, 0, kCubeConfig));
  if (made.tag > kNoContent) {
    std::fprintf(stderr, "the cube cannot be made: %s\n", made.text.c_str());
    std::abort();
  }
  std::string before = tree();
  for (int calls = 0; calls < kMostCalls && data.remaining_bytes() > 0; ++calls) {
    const Handler &handler = kHandlers[data.ConsumeIntegral<uint8_t>() % std::size(kHandlers)];
    Keys keys(data);
    keys.fill(data, handler.keys);
    const std::string body = handler.write ? data.ConsumeRandomLengthString() : "";
    const Answer answer =
        taken(handler.write ? handler.write(kName, keys.keys.data(), keys.keys.size(), body.c_str())
                            : handler.read(kName, keys.keys.data(), keys.keys.size()));
    const std::string after = tree();
    if (answer.tag > kNoContent && after != before)
      fail(handler, body, "was refused, but has changed something");
    if (handler.read && answer.tag == kOk && !answer.text.empty() && !nlohmann::json::accept(answer.text))
      fail(handler, body, "answers what is no JSON");
    if (!after.empty() && !nlohmann::json::accept(after)) fail(handler, body, "the cube is no JSON");
    before = after;
  }
  taken(delete_k8slbrp_by_id_handler(kName, nullptr, 0));
  return 0;
}
