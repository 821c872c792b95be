// What cubes of every kind have in common: programs, maps, log.
#pragma once

#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "polycube/common.h"
#include "polycube/services/cube_factory.h"
#include "polycube/services/cube_iface.h"
#include "polycube/services/table.h"

namespace polycube::service {

// Set by init(), defined by shared_library.h.
extern CubeFactory *factory_;
extern std::string logfile_;

class BaseCube {
 public:
  // Makes the logger; the host's cube is created by the derived template. `conf` needs `name` and `loglevel`.
  BaseCube(const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
           const std::vector<std::string> &egress_code);
  BaseCube(const BaseCube &) = delete;
  BaseCube &operator=(const BaseCube &) = delete;
  virtual ~BaseCube();

  // Compiles and swaps one program; maps keep their contents.
  void reload(const std::string &code, int index = 0, ProgramType type = ProgramType::INGRESS);
  // Loads a further program; index -1 takes the first free slot. Returns the index.
  int add_program(const std::string &code, int index = -1, ProgramType type = ProgramType::INGRESS);
  void del_program(int index, ProgramType type = ProgramType::INGRESS);

  // Handles on maps of program `index`. For an unknown name the error shows at the first use.
  RawTable get_raw_table(const std::string &table_name, int index = 0,
                         ProgramType type = ProgramType::INGRESS);
  RawQueueStackTable get_raw_queuestack_table(const std::string &table_name, int index = 0,
                                              ProgramType type = ProgramType::INGRESS);

  template <class ValueType>
  ArrayTable<ValueType> get_array_table(const std::string &table_name, int index = 0,
                                        ProgramType type = ProgramType::INGRESS) {
    int fd = get_table_fd(table_name, index, type);
    return ArrayTable<ValueType>(&fd);
  }

  template <class ValueType>
  PercpuArrayTable<ValueType> get_percpuarray_table(const std::string &table_name, int index = 0,
                                                    ProgramType type = ProgramType::INGRESS) {
    int fd = get_table_fd(table_name, index, type);
    return PercpuArrayTable<ValueType>(&fd);
  }

  template <class KeyType, class ValueType>
  HashTable<KeyType, ValueType> get_hash_table(const std::string &table_name, int index = 0,
                                               ProgramType type = ProgramType::INGRESS) {
    int fd = get_table_fd(table_name, index, type);
    return HashTable<KeyType, ValueType>(&fd);
  }

  template <class KeyType, class ValueType>
  PercpuHashTable<KeyType, ValueType> get_percpuhash_table(const std::string &table_name, int index = 0,
                                                           ProgramType type = ProgramType::INGRESS) {
    int fd = get_table_fd(table_name, index, type);
    return PercpuHashTable<KeyType, ValueType>(&fd);
  }

  template <class ValueType>
  QueueStackTable<ValueType> get_queuestack_table(const std::string &table_name, int index = 0,
                                                  ProgramType type = ProgramType::INGRESS) {
    int fd = get_table_fd(table_name, index, type);
    return QueueStackTable<ValueType>(&fd);
  }

  const ebpf::TableDesc &get_table_desc(const std::string &table_name, int index, ProgramType type);

  // Receives pcn_log messages of the datapath, on a thread of the host; writes them to logger().
  virtual void datapath_log_msg(const LogMsg *msg);

  // Sets the level of the logger and of the datapath, which is recompiled.
  void set_log_level(LogLevel level);
  LogLevel get_log_level() const;

  CubeType get_type() const;
  const Guid &get_uuid() const;
  const std::string get_name() const;
  const std::string getName() const;

  // Named like the cube; its lines go into the host's log.
  std::shared_ptr<spdlog::logger> logger();

  // After return neither packet_in() nor datapath_log_msg() is running or will be called. A class that
  // overrides one of them calls this first in its destructor.
  void dismount();

  nlohmann::json to_json() const;

 protected:
  int get_table_fd(const std::string &table_name, int index, ProgramType type);
  void set_control_plane_log_level(LogLevel level);

  std::shared_ptr<BaseCubeIface> cube_;
  log_msg_cb handle_log_msg;
  std::shared_ptr<spdlog::logger> logger_;
  std::atomic<bool> dismounted_;
  std::mutex cube_mutex;  // held around packet_in(), remove_port() and dismount()

 private:
  std::string name_;
  std::mutex log_mutex_;  // held around datapath_log_msg() and dismount()
};

}  // namespace polycube::service
