#include "fake_host.h"

#include <polycube/services/table.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "datapath/abi.h"

using namespace polycube::service;

namespace {

// Enough for `openings` of the largest cube; what nobody writes takes no memory.
constexpr off_t kFileBytes = off_t{1} << 30;

struct Table {
  std::size_t key_size, value_size;
  bool is_array;
  std::map<std::string, std::string> entries;
  std::vector<char> elements;  // of an array, as far as any has been written

  char *element(const void *key) {
    uint32_t index;
    std::memcpy(&index, key, sizeof(index));
    if (elements.size() < (index + 1) * value_size) elements.resize((index + 1) * value_size);
    return &elements[index * value_size];
  }
};

// A service duplicates descriptors, and maps `openings` into memory: so each table has a file.
std::map<ino_t, Table> tables;
std::map<std::string, int> descriptors;

ino_t file_of(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) throw std::runtime_error("no table has this descriptor");
  return status.st_ino;
}

Table &table_of(int fd) { return tables.at(file_of(fd)); }

void declare(const char *name, std::size_t key_size, std::size_t value_size, bool is_array) {
  const int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, kFileBytes) != 0) throw std::runtime_error("no file for a table");
  descriptors[name] = fd;
  tables[file_of(fd)] = {key_size, value_size, is_array, {}, {}};
}

// The maps of the datapath, as its header declares them.
#define BPF_ARRAY(name, type, entries) declare(#name, 4, sizeof(type), true)
#define BPF_PERCPU_ARRAY(name, type, entries) declare(#name, 4, (sizeof(type) + 7) / 8 * 8, true)
#define BPF_HASH(name, key, value, entries) declare(#name, sizeof(key), sizeof(value), false)
#define BPF_LPM_TRIE(name, key, value, entries) declare(#name, sizeof(key), sizeof(value), false)
#define BPF_TABLE(kind, key, value, name, entries) declare(#name, sizeof(key), sizeof(value), false)
#define BPF_F_TABLE(kind, key, value, name, entries, flags) \
  declare(#name, sizeof(key), sizeof(value), kind == std::string("array"))
void declare_all() {
  using namespace k8slbrp::abi;
#include "datapath/maps.h"
}

std::string bytes(const void *data, std::size_t size) { return {static_cast<const char *>(data), size}; }

int failed(int cause) {
  errno = cause;
  return -1;
}

int copy_key(const std::map<std::string, std::string> &entries,
             std::map<std::string, std::string>::const_iterator entry, void *key) {
  if (entry == entries.end()) return failed(ENOENT);
  std::memcpy(key, entry->first.data(), entry->first.size());
  return 0;
}

class FakePort final : public PortIface {
 public:
  FakePort(std::string cube, std::string name, uint16_t index)
      : cube_(std::move(cube)), name_(std::move(name)), index_(index), uuid_("port-" + name_) {}

  void send_packet_out(const std::vector<uint8_t> &, bool) override {}
  void send_packet_ns(const std::vector<uint8_t> &) override {}
  uint16_t index() const override { return index_; }
  bool operator==(const PortIface &other) const override { return this == &other; }
  std::string name() const override { return name_; }
  std::string get_path() const override { return cube_ + ":" + name_; }
  void set_peer(const std::string &peer) override {
    if (peer == "nowhere") throw std::runtime_error("Interface nowhere does not exist");
    peer_ = peer;
  }
  const std::string &peer() const override { return peer_; }
  const Guid &uuid() const override { return uuid_; }
  PortStatus get_status() const override { return peer_.empty() ? PortStatus::DOWN : PortStatus::UP; }
  PortType get_type() const override { return PortType::TC; }
  void set_conf(const nlohmann::json &conf) override {
    if (conf.count("peer")) set_peer(conf.at("peer").get<std::string>());
  }
  nlohmann::json to_json() const override {
    return {
        {"name", name_}, {"uuid", uuid_.str()}, {"status", peer_.empty() ? "DOWN" : "UP"}, {"peer", peer_}};
  }
  void subscribe_peer_parameter(const std::string &, ParameterEventCallback &) override {}
  void unsubscribe_peer_parameter(const std::string &) override {}
  void set_peer_parameter(const std::string &, const std::string &) override {}

 private:
  const std::string cube_, name_;
  const uint16_t index_;
  const Guid uuid_;
  std::string peer_;
};

class FakeCube final : public CubeIface {
 public:
  explicit FakeCube(const nlohmann::json &conf)
      : name_(conf.at("name").get<std::string>()), level_(polycube::LogLevel::INFO), uuid_("cube-uuid") {}

  void reload(const std::string &, int, ProgramType) override {}
  int add_program(const std::string &, int index, ProgramType) override { return index; }
  void del_program(int, ProgramType) override {}
  CubeType get_type() const override { return CubeType::TC; }
  const std::string get_service_name() const override { return "k8slbrp"; }
  uint32_t get_id() const override { return 1; }
  uint16_t get_index(ProgramType) const override { return 1; }
  int get_table_fd(const std::string &name, int, ProgramType) override { return descriptors.at(name); }
  const ebpf::TableDesc &get_table_desc(const std::string &, int, ProgramType) override {
    throw std::runtime_error("nobody asks for this");
  }
  void set_log_level(polycube::LogLevel level) override { level_ = level; }
  polycube::LogLevel get_log_level() const override { return level_; }
  const Guid &uuid() const override { return uuid_; }
  const std::string get_name() const override { return name_; }
  void set_conf(const nlohmann::json &) override {}
  nlohmann::json to_json() const override {
    return {{"name", name_},   {"uuid", uuid_.str()}, {"service-name", "k8slbrp"}, {"type", "TC"},
            {"shadow", false}, {"span", false},       {"loglevel", "INFO"}};
  }
  std::shared_ptr<PortIface> add_port(const std::string &name, const nlohmann::json &conf) override {
    if (ports_.count(name)) throw std::runtime_error("Port " + name + " already exists");
    uint16_t index = 0;
    while (used_.at(index)) ++index;
    auto port = std::make_shared<FakePort>(name_, name, index);
    port->set_conf(conf);
    used_.at(index) = true;
    ports_[name] = port;
    return port;
  }
  void remove_port(const std::string &name) override {
    used_.at(ports_.at(name)->index()) = false;
    ports_.erase(name);
  }
  std::shared_ptr<PortIface> get_port(const std::string &name) override { return ports_.at(name); }
  void update_forwarding_table(uint16_t, uint32_t, bool) override {}
  bool get_shadow() const override { return false; }
  bool get_span() const override { return false; }
  void set_span(const bool) override {}
  const std::string get_veth_name_from_index(const int) override { return "veth"; }

 private:
  const std::string name_;
  polycube::LogLevel level_;
  const Guid uuid_;
  std::map<std::string, std::shared_ptr<FakePort>> ports_;
  std::array<bool, MAX_PORTS> used_{};
};

class FakeHost final : public CubeFactory {
 public:
  std::shared_ptr<CubeIface> create_cube(const nlohmann::json &conf, const std::vector<std::string> &,
                                         const std::vector<std::string> &, const log_msg_cb &,
                                         const set_log_level_cb &, const packet_in_cb &) override {
    for (auto &[_, table] : tables) {
      table.entries.clear();
      if (!table.elements.empty()) std::memset(table.elements.data(), 0, table.elements.size());
    }
    return std::make_shared<FakeCube>(conf);
  }
  std::shared_ptr<TransparentCubeIface> create_transparent_cube(
      const nlohmann::json &, const std::vector<std::string> &, const std::vector<std::string> &,
      const log_msg_cb &, const set_log_level_cb &, const packet_in_cb &, const attach_cb &) override {
    throw std::runtime_error("transparent cubes are not supported");
  }
  void destroy_cube(const std::string &) override {}
};

}  // namespace

CubeFactory &fake_host() {
  static FakeHost host;
  if (tables.empty()) declare_all();
  return host;
}

// --- what services expect to find in the process

extern "C" {

int bpf_update_elem(int fd, void *key, void *value, unsigned long long) {
  Table &table = table_of(fd);
  if (table.is_array)
    std::memcpy(table.element(key), value, table.value_size);
  else
    table.entries[bytes(key, table.key_size)] = bytes(value, table.value_size);
  return 0;
}

int bpf_lookup_elem(int fd, void *key, void *value) {
  Table &table = table_of(fd);
  if (table.is_array) {
    std::memcpy(value, table.element(key), table.value_size);
    return 0;
  }
  const auto found = table.entries.find(bytes(key, table.key_size));
  if (found == table.entries.end()) return failed(ENOENT);
  std::memcpy(value, found->second.data(), table.value_size);
  return 0;
}

int bpf_delete_elem(int fd, void *key) {
  Table &table = table_of(fd);
  return table.entries.erase(bytes(key, table.key_size)) ? 0 : failed(ENOENT);
}

int bpf_get_first_key(int fd, void *key, std::size_t) {
  const auto &entries = table_of(fd).entries;
  return copy_key(entries, entries.begin(), key);
}

// No map has sessions, so there is nothing to read in batches, and nobody has queues.
int bpf_map_lookup_batch(int, void *, void *, void *, void *, unsigned *count, const void *) {
  *count = 0;
  return failed(ENOENT);
}
int bpf_map_lookup_and_delete_batch(int, void *, void *, void *, void *, unsigned *count, const void *) {
  *count = 0;
  return failed(ENOENT);
}
int bpf_map_update_batch(int, const void *, const void *, unsigned *, const void *) {
  return failed(ENOTSUP);
}
int bpf_map_update_elem(int, const void *, const void *, unsigned long long) { return failed(ENOTSUP); }
int bpf_map_lookup_and_delete_elem(int, const void *, void *) { return failed(ENOTSUP); }

int bpf_get_next_key(int fd, void *key, void *next) {
  const Table &table = table_of(fd);
  return copy_key(table.entries, table.entries.upper_bound(bytes(key, table.key_size)), next);
}
}

std::size_t ebpf::BPFTable::get_possible_cpu_count() { return 1; }

namespace polycube::polycubed::utils {
bool check_kernel_version(const std::string &) { return true; }
}  // namespace polycube::polycubed::utils
