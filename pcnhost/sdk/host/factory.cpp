#include "factory.h"

#include <stdexcept>

#include "cube.h"

namespace pcnhost {

using namespace polycube::service;

std::shared_ptr<CubeIface> Factory::create_cube(const nlohmann::json &conf,
                                                const std::vector<std::string> &ingress_code,
                                                const std::vector<std::string> &egress_code,
                                                const log_msg_cb &log_msg,
                                                const set_log_level_cb &log_level_cb,
                                                const packet_in_cb &cb) {
  EventId events = event_sinks().add(std::make_shared<EventSink>(cb, log_msg, log_level_cb));
  try {
    auto created = host_->call(0, "create_cube", {conf, ingress_code, egress_code, events});
    auto cube = std::make_shared<HostCube>(host_, created);
    std::lock_guard<std::mutex> guard(mutex_);
    created_[cube->get_name()] = {cube->handle(), events};
    return cube;
  } catch (...) {
    event_sinks().close(events);
    throw;
  }
}

std::shared_ptr<TransparentCubeIface> Factory::create_transparent_cube(
    const nlohmann::json &, const std::vector<std::string> &, const std::vector<std::string> &,
    const log_msg_cb &, const set_log_level_cb &, const packet_in_cb &, const attach_cb &) {
  throw std::runtime_error("transparent cubes are not supported by this host");
}

void Factory::destroy_cube(const std::string &name) {
  Created created;
  {
    std::lock_guard<std::mutex> guard(mutex_);
    auto found = created_.find(name);
    if (found == created_.end()) return;
    created = found->second;
    created_.erase(found);
  }
  event_sinks().close(created.events);
  try {
    host_->call(created.cube, "destroy", nlohmann::json::array());
  } catch (const std::exception &) {
    return;  // logged by the host; nothing is left to undo here
  }
}

void Factory::close() {
  std::map<std::string, Created> created;
  {
    std::lock_guard<std::mutex> guard(mutex_);
    created.swap(created_);
  }
  for (const auto &[name, cube] : created) event_sinks().close(cube.events);
  host_->close();
}

}  // namespace pcnhost
