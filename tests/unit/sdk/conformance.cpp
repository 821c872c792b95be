// Compiles only if the headers declare the service side of libpolycube with its exact types. Holds for the
// original headers too.
#include <polycube/common.h>
#include <polycube/services/base_cube.h>
#include <polycube/services/cube.h>
#include <polycube/services/cube_factory.h>
#include <polycube/services/cube_iface.h>
#include <polycube/services/guid.h>
#include <polycube/services/json.hpp>
#include <polycube/services/port.h>
#include <polycube/services/port_iface.h>
#include <polycube/services/response.h>
#include <polycube/services/shared_lib_elements.h>
#include <polycube/services/shared_library.h>
#include <polycube/services/table.h>
#include <polycube/services/types.h>
#include <polycube/services/utils.h>
#include <tins/ethernetII.h>

#include <cstddef>
#include <type_traits>

using namespace polycube::service;
using nlohmann::json;
using polycube::LogLevel;
using std::string;
using std::vector;
using Bytes = vector<uint8_t>;
using Texts = vector<string>;

template <class Expected, class Actual>
constexpr bool is = std::is_same_v<Expected, Actual>;

// MEMBER(Class, function, return type, (arguments) qualifiers); picks the overload with that type, if there
// are several.
#define MEMBER(owner, name, result, signature) \
  static_assert(                               \
      is<result(owner::*) signature, decltype(static_cast<result(owner::*) signature>(&owner::name))>)
#define FUNCTION(name, result, signature) \
  static_assert(is<result(*) signature, decltype(static_cast<result(*) signature>(&name))>)
#define VALUE(name, value) static_assert(static_cast<int>(name) == (value))

// Enumerations.
VALUE(ProgramType::INGRESS, 0);
VALUE(ProgramType::EGRESS, 1);
VALUE(Direction::INGRESS, 0);
VALUE(Direction::EGRESS, 1);
VALUE(CubeType::TC, 0);
VALUE(CubeType::XDP_SKB, 1);
VALUE(CubeType::XDP_DRV, 2);
VALUE(PortStatus::DOWN, 0);
VALUE(PortStatus::UP, 1);
VALUE(PortType::TC, 0);
VALUE(PortType::XDP, 1);
VALUE(LogLevel::TRACE, 0);
VALUE(LogLevel::DEBUG, 1);
VALUE(LogLevel::INFO, 2);
VALUE(LogLevel::WARN, 3);
VALUE(LogLevel::ERR, 4);
VALUE(LogLevel::CRITICAL, 5);
VALUE(LogLevel::OFF, 6);
VALUE(kOk, 0);
VALUE(kCreated, 1);
VALUE(kNoContent, 2);
VALUE(kBadRequest, 3);
VALUE(kGenericError, 4);
VALUE(kInvalidValue, 5);
VALUE(kMissingAttribute, 6);
VALUE(kMissingElement, 7);
VALUE(kBadAttribute, 8);
VALUE(kBadElement, 9);
VALUE(kDataExists, 10);
VALUE(kDataMissing, 11);
VALUE(kOperationNotSupported, 12);
VALUE(kUnparsableChoice, 13);
VALUE(SHOW, 0);
VALUE(ADD, 1);
VALUE(SET, 2);
VALUE(DEL, 3);
VALUE(NONE, 4);
VALUE(NO_HELP, 5);
VALUE(BOOLEAN, 0);
VALUE(STRING, 1);
VALUE(INT8, 2);
VALUE(INT16, 3);
VALUE(INT32, 4);
VALUE(INT64, 5);
VALUE(UINT8, 6);
VALUE(UINT16, 7);
VALUE(UINT32, 8);
VALUE(UINT64, 9);
VALUE(DECIMAL, 10);

// Structures that cross the border as bytes.
static_assert(sizeof(Response) == 16 && offsetof(Response, error_tag) == 0 &&
              offsetof(Response, message) == 8);
static_assert(is<const ErrorTag, decltype(Response::error_tag)> && is<char *, decltype(Response::message)>);
static_assert(sizeof(Key) == 24 && offsetof(Key, name) == 0 && offsetof(Key, type) == 8 &&
              offsetof(Key, value) == 16);
static_assert(sizeof(ElementValue) == 8 && is<const char *, decltype(ElementValue::string)>);
static_assert(is<bool, decltype(ElementValue::boolean)> && is<uint16_t, decltype(ElementValue::uint16)>);
static_assert(is<int8_t, decltype(ElementValue::int8)> && is<int16_t, decltype(ElementValue::int16)>);
static_assert(is<int32_t, decltype(ElementValue::int32)> && is<int64_t, decltype(ElementValue::int64)>);
static_assert(is<uint8_t, decltype(ElementValue::uint8)> && is<uint32_t, decltype(ElementValue::uint32)>);
static_assert(is<uint64_t, decltype(ElementValue::uint64)>);
static_assert(sizeof(PacketInMetadata) == 20 && offsetof(PacketInMetadata, metadata) == 8);
static_assert(sizeof(PacketIn) == 26 && offsetof(PacketIn, port_id) == 2 &&
              offsetof(PacketIn, packet_len) == 4 && offsetof(PacketIn, traffic_class) == 8 &&
              offsetof(PacketIn, reason) == 12 && offsetof(PacketIn, metadata) == 14);
static_assert(sizeof(LogMsg) == 40 && offsetof(LogMsg, cube_id) == 2 && offsetof(LogMsg, level) == 4 &&
              offsetof(LogMsg, len) == 6 && offsetof(LogMsg, args) == 8 && offsetof(LogMsg, msg) == 40);

// Callbacks.
static_assert(is<packet_in_cb, std::function<void(const PacketIn *, const Bytes &)>>);
static_assert(is<log_msg_cb, std::function<void(const LogMsg *)>>);
static_assert(is<attach_cb, std::function<void()>>);
static_assert(is<set_log_level_cb, std::function<void(LogLevel)>>);
static_assert(is<ParameterEventCallback, std::function<void(const string, const string)>>);

// The host's side.
MEMBER(CubeFactory, create_cube, std::shared_ptr<CubeIface>,
       (const json &, const Texts &, const Texts &, const log_msg_cb &, const set_log_level_cb &,
        const packet_in_cb &));
MEMBER(CubeFactory, create_transparent_cube, std::shared_ptr<TransparentCubeIface>,
       (const json &, const Texts &, const Texts &, const log_msg_cb &, const set_log_level_cb &,
        const packet_in_cb &, const attach_cb &));
MEMBER(CubeFactory, destroy_cube, void, (const string &));

MEMBER(BaseCubeIface, reload, void, (const string &, int, ProgramType));
MEMBER(BaseCubeIface, add_program, int, (const string &, int, ProgramType));
MEMBER(BaseCubeIface, del_program, void, (int, ProgramType));
MEMBER(BaseCubeIface, get_type, CubeType, () const);
MEMBER(BaseCubeIface, get_service_name, const string, () const);
MEMBER(BaseCubeIface, get_id, uint32_t, () const);
MEMBER(BaseCubeIface, get_index, uint16_t, (ProgramType) const);
MEMBER(BaseCubeIface, get_table_fd, int, (const string &, int, ProgramType));
MEMBER(BaseCubeIface, get_table_desc, const ebpf::TableDesc &, (const string &, int, ProgramType));
MEMBER(BaseCubeIface, set_log_level, void, (LogLevel));
MEMBER(BaseCubeIface, get_log_level, LogLevel, () const);
MEMBER(BaseCubeIface, uuid, const Guid &, () const);
MEMBER(BaseCubeIface, get_name, const string, () const);
MEMBER(BaseCubeIface, set_conf, void, (const json &));
MEMBER(BaseCubeIface, to_json, json, () const);

static_assert(std::is_base_of_v<BaseCubeIface, CubeIface>);
static_assert(sizeof(CubeIface) == sizeof(void *));  // one vptr: BaseCubeIface is a primary virtual base
MEMBER(CubeIface, add_port, std::shared_ptr<PortIface>, (const string &, const json &));
MEMBER(CubeIface, remove_port, void, (const string &));
MEMBER(CubeIface, get_port, std::shared_ptr<PortIface>, (const string &));
MEMBER(CubeIface, update_forwarding_table, void, (uint16_t, uint32_t, bool));
static_assert(is<bool, decltype(std::declval<const CubeIface &>().get_shadow())>);
static_assert(is<bool, decltype(std::declval<const CubeIface &>().get_span())>);
MEMBER(CubeIface, set_span, void, (const bool));
MEMBER(CubeIface, get_veth_name_from_index, const string, (const int));

MEMBER(PortIface, send_packet_out, void, (const Bytes &, bool));
MEMBER(PortIface, send_packet_ns, void, (const Bytes &));
MEMBER(PortIface, index, uint16_t, () const);
MEMBER(PortIface, operator==, bool, (const PortIface &) const);
MEMBER(PortIface, name, string, () const);
MEMBER(PortIface, get_path, string, () const);
MEMBER(PortIface, set_peer, void, (const string &));
MEMBER(PortIface, peer, const string &, () const);
MEMBER(PortIface, uuid, const Guid &, () const);
MEMBER(PortIface, get_status, PortStatus, () const);
MEMBER(PortIface, get_type, PortType, () const);
MEMBER(PortIface, set_conf, void, (const json &));
MEMBER(PortIface, to_json, json, () const);
MEMBER(PortIface, subscribe_peer_parameter, void, (const string &, ParameterEventCallback &));
MEMBER(PortIface, unsubscribe_peer_parameter, void, (const string &));
MEMBER(PortIface, set_peer_parameter, void, (const string &, const string &));

// The service's side.
static_assert(is<CubeFactory *, decltype(factory_)> && is<string, decltype(logfile_)>);
static_assert(std::is_constructible_v<BaseCube, const json &, const Texts &, const Texts &>);
static_assert(std::has_virtual_destructor_v<BaseCube>);
MEMBER(BaseCube, reload, void, (const string &, int, ProgramType));
MEMBER(BaseCube, add_program, int, (const string &, int, ProgramType));
MEMBER(BaseCube, del_program, void, (int, ProgramType));
MEMBER(BaseCube, get_raw_table, RawTable, (const string &, int, ProgramType));
MEMBER(BaseCube, get_array_table<long>, ArrayTable<long>, (const string &, int, ProgramType));
MEMBER(BaseCube, get_percpuarray_table<long>, PercpuArrayTable<long>, (const string &, int, ProgramType));
using IntHash = HashTable<int, long>;
using IntPercpuHash = PercpuHashTable<int, long>;
#define TWO int, long
static_assert(
    is<IntHash (BaseCube::*)(const string &, int, ProgramType), decltype(&BaseCube::get_hash_table<TWO>)>);
static_assert(is<IntPercpuHash (BaseCube::*)(const string &, int, ProgramType),
                 decltype(&BaseCube::get_percpuhash_table<TWO>)>);
MEMBER(BaseCube, get_raw_queuestack_table, RawQueueStackTable, (const string &, int, ProgramType));
MEMBER(BaseCube, get_queuestack_table<long>, QueueStackTable<long>, (const string &, int, ProgramType));
MEMBER(BaseCube, get_table_desc, const ebpf::TableDesc &, (const string &, int, ProgramType));
MEMBER(BaseCube, datapath_log_msg, void, (const LogMsg *));
MEMBER(BaseCube, set_log_level, void, (LogLevel));
MEMBER(BaseCube, get_log_level, LogLevel, () const);
MEMBER(BaseCube, get_uuid, const Guid &, () const);
MEMBER(BaseCube, get_name, const string, () const);
MEMBER(BaseCube, getName, const string, () const);
MEMBER(BaseCube, get_type, CubeType, () const);
MEMBER(BaseCube, logger, std::shared_ptr<spdlog::logger>, ());
MEMBER(BaseCube, dismount, void, ());
MEMBER(BaseCube, to_json, json, () const);

static_assert(!std::has_virtual_destructor_v<Port>);
MEMBER(Port, send_packet_out, void, (Tins::EthernetII &, bool));
MEMBER(Port, send_packet_ns, void, (Tins::EthernetII &));
MEMBER(Port, index, int, () const);
MEMBER(Port, name, string, () const);
MEMBER(Port, getName, string, () const);
MEMBER(Port, set_peer, void, (const string &));
MEMBER(Port, peer, const string &, () const);
MEMBER(Port, uuid, const Guid &, () const);
MEMBER(Port, get_status, PortStatus, () const);
MEMBER(Port, get_type, PortType, () const);
MEMBER(Port, set_conf, void, (const json &));
MEMBER(Port, to_json, json, () const);
MEMBER(Port, subscribe_peer_parameter, void, (const string &, ParameterEventCallback &));
MEMBER(Port, unsubscribe_peer_parameter, void, (const string &));
MEMBER(Port, set_peer_parameter, void, (const string &, const string &));

// Protected members.
struct TestBaseCube : BaseCube {
  static_assert(is<std::shared_ptr<BaseCubeIface>, decltype(TestBaseCube::cube_)>);
  static_assert(is<log_msg_cb, decltype(TestBaseCube::handle_log_msg)>);
  static_assert(is<std::shared_ptr<spdlog::logger>, decltype(TestBaseCube::logger_)>);
  static_assert(is<std::atomic<bool>, decltype(TestBaseCube::dismounted_)>);
  static_assert(is<std::mutex, decltype(TestBaseCube::cube_mutex)>);
  int fd() { return get_table_fd("table", 0, ProgramType::INGRESS); }
  void level() { set_control_plane_log_level(LogLevel::INFO); }
};

struct Conf {
  json getBase() const { return {}; }
};

struct TestPort : Port {
  TestPort(Cube<TestPort> &, std::shared_ptr<PortIface> port, const Conf &) : Port(port) {}
};

// Generated services inherit the template virtually, through a class of their own.
struct TestBase : virtual Cube<TestPort> {
  TestBase() : Cube<TestPort>({}, {}, {}) {}
};

struct TestCube : TestBase {
  TestCube() : Cube<TestPort>({}, {}, {}) {}
  void packet_in(TestPort &, PacketInMetadata &, const Bytes &) override {}
  void datapath_log_msg(const LogMsg *) override {}
};

using TestTemplate = Cube<TestPort>;
using TestPortPtr = std::shared_ptr<TestPort>;
MEMBER(TestTemplate, add_port<Conf>, TestPortPtr, (const string &, const Conf &));
MEMBER(TestTemplate, remove_port, void, (const string &));
MEMBER(TestTemplate, get_port, TestPortPtr, (const string &));
MEMBER(TestTemplate, get_port, TestPortPtr, (int));
MEMBER(TestTemplate, get_ports, vector<TestPortPtr>, () const);
MEMBER(TestTemplate, packet_in, void, (TestPort &, PacketInMetadata &, const Bytes &));
MEMBER(TestTemplate, set_conf, void, (const json &));
MEMBER(TestTemplate, to_json, json, () const);
static_assert(is<bool, decltype(std::declval<const TestTemplate &>().get_shadow())>);
static_assert(is<bool, decltype(std::declval<const TestTemplate &>().get_span())>);
MEMBER(TestTemplate, set_span, void, (const bool));
MEMBER(TestTemplate, get_veth_name_from_index, const string, (const int));

// Tables.
MEMBER(RawTable, get, void, (const void *, void *));
MEMBER(RawTable, set, void, (const void *, const void *));
MEMBER(RawTable, remove, void, (const void *));
MEMBER(RawTable, first, int, (void *));
MEMBER(RawTable, next, int, (const void *, void *));
MEMBER(RawTable, get_batch, int, (void *, void *, unsigned int *, void *, void *));
MEMBER(RawTable, get_and_delete_batch, int, (void *, void *, unsigned int *, void *, void *));
MEMBER(RawTable, update_batch, int, (void *, void *, unsigned int *));
MEMBER(RawQueueStackTable, pop, int, (void *));
MEMBER(RawQueueStackTable, push, int, (const void *));

// The typed tables keep the raw operations to themselves.
static_assert(!std::is_convertible_v<ArrayTable<long> *, RawTable *>);
static_assert(!std::is_convertible_v<PercpuArrayTable<long> *, RawTable *>);
static_assert(!std::is_convertible_v<IntHash *, RawTable *>);
static_assert(!std::is_convertible_v<IntPercpuHash *, RawTable *>);
static_assert(!std::is_convertible_v<QueueStackTable<long> *, RawQueueStackTable *>);

// Members of later versions of the JSON library are out of reach.
template <class Json, class = void>
constexpr bool has_contains = false;
template <class Json>
constexpr bool has_contains<Json, std::void_t<decltype(std::declval<Json>().contains("key"))>> = true;
static_assert(!has_contains<json>);

void uses_of_tables(TestCube &cube) {
  const uint32_t index = 0;
  const int key = 1;
  const long value = 2;
  unsigned int count = 1;
  auto raw = cube.get_raw_table("t");
  raw.get_batch(nullptr, nullptr, &count);
  raw.get_and_delete_batch(nullptr, nullptr, &count);

  auto array = cube.get_array_table<long>("t");
  static_assert(is<long, decltype(array.get(index))>);
  static_assert(is<vector<std::pair<uint32_t, long>>, decltype(array.get_all())>);
  array.set(index, value);

  auto percpu_array = cube.get_percpuarray_table<long>("t", 1);
  static_assert(is<vector<long>, decltype(percpu_array.get(index))>);
  static_assert(is<vector<std::pair<uint32_t, vector<long>>>, decltype(percpu_array.get_all())>);
  percpu_array.set(index, vector<long>{value});
  percpu_array.set(index, value);

  auto hash = cube.get_hash_table<int, long>("t", 1, ProgramType::EGRESS);
  static_assert(is<long, decltype(hash.get(key))>);
  static_assert(is<vector<std::pair<int, long>>, decltype(hash.get_all())>);
  hash.set(key, value);
  hash.remove(key);
  hash.remove_all();

  auto percpu_hash = cube.get_percpuhash_table<int, long>("t");
  static_assert(is<vector<long>, decltype(percpu_hash.get(key))>);
  static_assert(is<vector<std::pair<int, vector<long>>>, decltype(percpu_hash.get_all())>);
  percpu_hash.set(key, vector<long>{value});
  percpu_hash.set(key, value);
  percpu_hash.remove(key);
  percpu_hash.remove_all();

  auto queue = cube.get_queuestack_table<long>("t");
  static_assert(is<long, decltype(queue.pop())>);
  queue.push(value);
}

void uses_of_defaults(TestCube &cube, TestPort &port, Tins::EthernetII &packet) {
  cube.reload("code");
  static_assert(is<int, decltype(cube.add_program("code"))>);
  cube.del_program(1);
  cube.get_raw_queuestack_table("t");
  port.send_packet_out(packet);
  cube.logger()->info("{0} of {1}", 1, string("x"));
  Tins::EthernetII from_bytes(Bytes(14).data(), uint32_t{14});
}

// Helpers.
FUNCTION(utils::ip_string_to_nbo_uint, uint32_t, (const string &));
FUNCTION(utils::nbo_uint_to_ip_string, string, (uint32_t));
FUNCTION(utils::mac_string_to_nbo_uint, uint64_t, (const string &));
FUNCTION(utils::nbo_uint_to_mac_string, string, (uint64_t));
FUNCTION(utils::get_random_mac, string, ());

void uses_of_helpers(const string &text, string &ip, string &netmask, const uint64_t args[4]) {
  static_assert(is<string, decltype(utils::get_ip_from_string(text))>);
  static_assert(is<string, decltype(utils::get_netmask_from_string(text))>);
  static_assert(is<uint32_t, decltype(utils::get_netmask_length(text))>);
  static_assert(is<string, decltype(utils::get_netmask_from_prefixlength(24))>);
  static_assert(is<uint64_t, decltype(utils::hex_string_to_uint(text))>);
  static_assert(is<string, decltype(utils::format_debug_string(text, args))>);
  utils::split_ip_and_prefix(text, ip, netmask);
  static_assert(is<bool, decltype(polycube::iequals(text, text))>);
  static_assert(is<string, decltype(polycube::logLevelString(LogLevel::INFO))>);
  static_assert(is<LogLevel, decltype(polycube::stringLogLevel(text))>);
  static_assert(is<spdlog::level::level_enum, decltype(polycube::logLevelToSPDLog(LogLevel::INFO))>);
  static_assert(is<string, decltype(polycube::cube_type_to_string(CubeType::TC))>);
  static_assert(is<string, decltype(polycube::port_status_to_string(PortStatus::UP))>);
  static_assert(std::is_convertible_v<decltype(polycube::get_possible_cpu_count()), std::size_t>);
}

// Exports.
static_assert(is<void(CubeFactory *, const char *), decltype(init)>);
static_assert(is<const char *(), decltype(pyang_git)>);
static_assert(is<const char *(), decltype(swagger_codegen_git)>);
