#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "events.h"
#include "host.h"
#include "polycube/services/cube_factory.h"

namespace pcnhost {

// The CubeFactory of one service library.
class Factory final : public polycube::service::CubeFactory {
 public:
  explicit Factory(const HostCalls &calls) : host_(std::make_shared<Host>(calls)) {}

  std::shared_ptr<polycube::service::CubeIface> create_cube(
      const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
      const std::vector<std::string> &egress_code, const polycube::service::log_msg_cb &log_msg,
      const polycube::service::set_log_level_cb &log_level_cb,
      const polycube::service::packet_in_cb &cb) override;

  std::shared_ptr<polycube::service::TransparentCubeIface> create_transparent_cube(
      const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
      const std::vector<std::string> &egress_code, const polycube::service::log_msg_cb &log_msg,
      const polycube::service::set_log_level_cb &log_level_cb, const polycube::service::packet_in_cb &cb,
      const polycube::service::attach_cb &attach) override;

  // Never throws, since destructors call it; an error is in the host's log.
  void destroy_cube(const std::string &name) override;

  // Ends all traffic between the service and the host, in both directions.
  void close();

 private:
  struct Created {
    Handle cube;
    EventId events;
  };

  const std::shared_ptr<Host> host_;
  std::mutex mutex_;
  std::map<std::string, Created> created_;
};

}  // namespace pcnhost
