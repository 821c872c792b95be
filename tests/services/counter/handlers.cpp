// The exported symbols: hand-written, so that the host is tested without the code generator.
#include <polycube/services/response.h>
#include <polycube/services/shared_lib_elements.h>
#include <polycube/services/shared_library.h>

#include <cstring>
#include <map>

#include "Counter.h"
#include "texts.h"

using nlohmann::json;

namespace {

std::map<std::string, std::shared_ptr<Counter>> cubes;
std::mutex cubes_mutex;

struct Missing : std::runtime_error {
  using runtime_error::runtime_error;
};

std::shared_ptr<Counter> find(const std::string &name) {
  std::lock_guard<std::mutex> guard(cubes_mutex);
  auto found = cubes.find(name);
  if (found == cubes.end()) throw Missing("Cube " + name + " does not exist");
  return found->second;
}

const Key &key(const Key *keys, size_t count, const std::string &name) {
  for (const Key *entry = keys; entry != keys + count; ++entry)
    if (entry->name == name) return *entry;
  throw std::runtime_error("key " + name + " is missing");
}

std::string port_name(const Key *keys, size_t count) { return key(keys, count, "ports_name").value.string; }

// Runs `work`, which returns the message: nothing, or JSON.
template <class Work>
Response answer(ErrorTag success, Work work) {
  try {
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      return {success, nullptr};
    } else {
      return {success, strdup(json(work()).dump().c_str())};
    }
  } catch (const Missing &e) {
    return {kDataMissing, strdup(e.what())};
  } catch (const std::exception &e) {
    return {kGenericError, strdup(e.what())};
  }
}

Response unsupported() { return {kOperationNotSupported, nullptr}; }

}  // namespace

#define READ(symbol) Response symbol##_handler(const char *cube, const Key *keys, size_t count)
#define WRITE(symbol) \
  Response symbol##_handler(const char *cube, const Key *keys, size_t count, const char *body)
#define HELP(symbol) Response symbol##_help(const char *cube, const Key *keys, size_t count)
#pragma GCC diagnostic ignored "-Wunused-parameter"  // all handlers share these signatures

extern "C" {

const char *data_model() { return kDataModel.c_str(); }

// The cube.
WRITE(create_counter_by_id) {
  return answer(kCreated, [&] {
    auto created = std::make_shared<Counter>(json::parse(body));
    std::lock_guard<std::mutex> guard(cubes_mutex);
    cubes[cube] = created;
  });
}
WRITE(replace_counter_by_id) { return unsupported(); }
WRITE(update_counter_by_id) {
  return answer(kOk, [&] { find(cube)->update(json::parse(body)); });
}
READ(read_counter_by_id) {
  return answer(kOk, [&] { return find(cube)->read(); });
}
READ(delete_counter_by_id) {
  return answer(kOk, [&] {
    auto doomed = find(cube);  // destroyed after the lock is released
    std::lock_guard<std::mutex> guard(cubes_mutex);
    cubes.erase(cube);
  });
}
READ(read_counter_list_by_id) { return unsupported(); }
WRITE(update_counter_list_by_id) { return unsupported(); }
HELP(counter_list_by_id) {
  return answer(kOk, [] {
    std::lock_guard<std::mutex> guard(cubes_mutex);
    auto names = json::array();
    for (const auto &entry : cubes) names.push_back({{"name", entry.first}});
    return names;
  });
}

// Its ports.
WRITE(create_counter_ports_by_id) {
  return answer(kCreated, [&] { find(cube)->create_port(json::parse(body)); });
}
WRITE(replace_counter_ports_by_id) { return unsupported(); }
WRITE(update_counter_ports_by_id) {
  return answer(kOk, [&] { find(cube)->get_port(port_name(keys, count))->set_conf(json::parse(body)); });
}
READ(read_counter_ports_by_id) {
  return answer(kOk, [&] { return find(cube)->get_port(port_name(keys, count))->to_json(); });
}
READ(delete_counter_ports_by_id) {
  return answer(kOk, [&] { find(cube)->remove_port(port_name(keys, count)); });
}
WRITE(create_counter_ports_list_by_id) {
  return answer(kCreated, [&] {
    for (const auto &port : json::parse(body)) find(cube)->create_port(port);
  });
}
WRITE(replace_counter_ports_list_by_id) { return unsupported(); }
WRITE(update_counter_ports_list_by_id) { return unsupported(); }
READ(read_counter_ports_list_by_id) {
  return answer(kOk, [&] { return find(cube)->read_ports(); });
}
READ(delete_counter_ports_list_by_id) {
  return answer(kOk, [&] {
    auto counter = find(cube);
    for (const auto &port : counter->get_ports()) counter->remove_port(port->name());
  });
}
HELP(counter_ports_list_by_id) {
  return answer(kOk, [&] {
    auto names = json::array();
    for (const auto &port : find(cube)->get_ports()) names.push_back({{"name", port->name()}});
    return names;
  });
}

// Its leaves.
READ(read_counter_step_by_id) {
  return answer(kOk, [&] { return find(cube)->step(); });
}
WRITE(update_counter_step_by_id) {
  return answer(kOk, [&] { find(cube)->set_step(json::parse(body).get<uint16_t>()); });
}
READ(read_counter_echoes_by_id) {
  return answer(kOk, [&] { return find(cube)->echoes(); });
}

// Its totals.
READ(read_counter_total_by_id) {
  return answer(kOk, [&] {
    auto port = key(keys, count, "port").value.uint16;
    return json{{"port", port}, {"packets", find(cube)->total(port)}};
  });
}
READ(read_counter_total_packets_by_id) {
  return answer(kOk, [&] { return find(cube)->total(key(keys, count, "port").value.uint16); });
}
READ(read_counter_total_list_by_id) {
  return answer(kOk, [&] { return find(cube)->totals(); });
}
HELP(counter_total_list_by_id) {
  return answer(kOk, [&] {
    auto indexes = json::array();
    for (const auto &port : find(cube)->get_ports())
      indexes.push_back({{"port", std::to_string(port->index())}});
    return indexes;
  });
}

// Its actions.
WRITE(create_counter_reset_by_id) {
  return answer(kCreated, [&] { return json{{"packets", find(cube)->reset()}}; });
}
WRITE(create_counter_swap_by_id) {
  return answer(kCreated, [&] { find(cube)->swap(json::parse(body).at("drop").get<bool>()); });
}
WRITE(create_counter_add_program_by_id) {
  return answer(kCreated, [&] { return json{{"index", find(cube)->add_dropper()}}; });
}
WRITE(create_counter_del_program_by_id) {
  return answer(kCreated, [&] { find(cube)->del_program(json::parse(body).at("index").get<int>()); });
}
WRITE(create_counter_fail_by_id) { throw std::runtime_error("this handler always fails"); }
}
