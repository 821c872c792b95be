#include "polycube/services/base_cube.h"

#include <cstring>

#include "logger.h"
#include "polycube/services/utils.h"

namespace polycube::service {

BaseCube::BaseCube(const nlohmann::json &conf, const std::vector<std::string> &,
                   const std::vector<std::string> &)
    : handle_log_msg([this](const LogMsg *msg) {
        std::lock_guard<std::mutex> guard(log_mutex_);
        if (!dismounted_) datapath_log_msg(msg);
      }),
      dismounted_(false),
      name_(conf.at("name").get<std::string>()) {
  logger_ = make_logger(name_, stringLogLevel(conf.at("loglevel").get<std::string>()));
}

BaseCube::~BaseCube() = default;

void BaseCube::reload(const std::string &code, int index, ProgramType type) {
  cube_->reload(code, index, type);
}

int BaseCube::add_program(const std::string &code, int index, ProgramType type) {
  return cube_->add_program(code, index, type);
}

void BaseCube::del_program(int index, ProgramType type) { cube_->del_program(index, type); }

RawTable BaseCube::get_raw_table(const std::string &table_name, int index, ProgramType type) {
  int fd = get_table_fd(table_name, index, type);
  return RawTable(&fd);
}

RawQueueStackTable BaseCube::get_raw_queuestack_table(const std::string &table_name, int index,
                                                      ProgramType type) {
  int fd = get_table_fd(table_name, index, type);
  return RawQueueStackTable(&fd);
}

const ebpf::TableDesc &BaseCube::get_table_desc(const std::string &table_name, int index, ProgramType type) {
  return cube_->get_table_desc(table_name, index, type);
}

int BaseCube::get_table_fd(const std::string &table_name, int index, ProgramType type) {
  return cube_->get_table_fd(table_name, index, type);
}

void BaseCube::datapath_log_msg(const LogMsg *msg) {
  uint64_t args[4];
  std::memcpy(args, reinterpret_cast<const char *>(msg) + offsetof(LogMsg, args), sizeof(args));
  std::string format(msg->msg, strnlen(msg->msg, msg->len));
  logger_->log(logLevelToSPDLog(static_cast<LogLevel>(msg->level)), "{}",
               utils::format_debug_string(format, args));
}

void BaseCube::set_log_level(LogLevel level) {
  set_control_plane_log_level(level);
  cube_->set_log_level(level);
}

void BaseCube::set_control_plane_log_level(LogLevel level) { logger_->set_level(logLevelToSPDLog(level)); }

LogLevel BaseCube::get_log_level() const { return cube_->get_log_level(); }
CubeType BaseCube::get_type() const { return cube_->get_type(); }
const Guid &BaseCube::get_uuid() const { return cube_->uuid(); }
const std::string BaseCube::get_name() const { return name_; }
const std::string BaseCube::getName() const { return name_; }
std::shared_ptr<spdlog::logger> BaseCube::logger() { return logger_; }
nlohmann::json BaseCube::to_json() const { return cube_->to_json(); }

void BaseCube::dismount() {
  std::scoped_lock guard(cube_mutex, log_mutex_);
  dismounted_ = true;
}

}  // namespace polycube::service
