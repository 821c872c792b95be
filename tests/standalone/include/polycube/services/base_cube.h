#pragma once
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cube_factory.h"
#include "cube_iface.h"
#include "table.h"

namespace polycube::service {
extern CubeFactory *factory_;
extern std::string logfile_;

class BaseCube {
 public:
  BaseCube(const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
           const std::vector<std::string> &egress_code);
  virtual ~BaseCube();

  void reload(const std::string &code, int index = 0, ProgramType type = ProgramType::INGRESS);
  int add_program(const std::string &code, int index = -1, ProgramType type = ProgramType::INGRESS);
  void del_program(int index, ProgramType type = ProgramType::INGRESS);

  RawTable get_raw_table(const std::string &name, int index = 0, ProgramType type = ProgramType::INGRESS);
  template <class ValueType>
  ArrayTable<ValueType> get_array_table(const std::string &name, int index = 0,
                                        ProgramType type = ProgramType::INGRESS);
  template <class ValueType>
  PercpuArrayTable<ValueType> get_percpuarray_table(const std::string &name, int index = 0,
                                                    ProgramType type = ProgramType::INGRESS);
  template <class KeyType, class ValueType>
  HashTable<KeyType, ValueType> get_hash_table(const std::string &name, int index = 0,
                                               ProgramType type = ProgramType::INGRESS);
  template <class KeyType, class ValueType>
  PercpuHashTable<KeyType, ValueType> get_percpuhash_table(const std::string &name, int index = 0,
                                                           ProgramType type = ProgramType::INGRESS);
  const ebpf::TableDesc &get_table_desc(const std::string &name, int index, ProgramType type);

  virtual void datapath_log_msg(const LogMsg *msg);
  void set_log_level(LogLevel level);
  LogLevel get_log_level() const;
  const Guid &get_uuid() const;
  const std::string get_name() const;
  const std::string getName() const;
  CubeType get_type() const;
  std::shared_ptr<spdlog::logger> logger();
  void dismount();
  nlohmann::json to_json() const;

 protected:
  int get_table_fd(const std::string &table_name, int index, ProgramType type);
  void set_control_plane_log_level(LogLevel level);
  std::shared_ptr<BaseCubeIface> cube_;
  log_msg_cb handle_log_msg;
  std::shared_ptr<spdlog::logger> logger_;
  std::atomic<bool> dismounted_;
  std::mutex cube_mutex;
};
}  // namespace polycube::service
