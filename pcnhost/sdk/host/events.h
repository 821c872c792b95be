// Events on their way from the engine into a service.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "polycube/services/cube_factory.h"

namespace pcnhost {

// Where the events of one cube go. The callbacks are members of the service's cube object, so none may run
// once that object is being destroyed: close() waits for the running ones and drops all later ones.
class EventSink {
 public:
  EventSink(const polycube::service::packet_in_cb &packet_in,
            const polycube::service::log_msg_cb &log_message,
            const polycube::service::set_log_level_cb &log_level)
      : packet_in_(packet_in), log_message_(log_message), log_level_(log_level) {}

  void packet_in(const polycube::service::PacketIn &record, const std::vector<uint8_t> &packet);
  void log_message(const polycube::service::LogMsg &record);
  void log_level(polycube::LogLevel level);

  // May be called by a callback of this very sink; then it does not wait for that one.
  void close();

 private:
  template <class Callback, class... Arguments>
  void deliver(const Callback &callback, Arguments &&...arguments);
  bool enter();
  void leave();

  const polycube::service::packet_in_cb &packet_in_;
  const polycube::service::log_msg_cb &log_message_;
  const polycube::service::set_log_level_cb &log_level_;

  std::mutex mutex_;
  std::condition_variable left_;
  bool closed_ = false;
  std::size_t running_ = 0;
};

using EventId = uint64_t;

// The open sinks of the process. An id stays unknown for ever once its sink is removed, so that an event
// which comes late finds nothing instead of freed memory.
class EventSinks {
 public:
  EventId add(std::shared_ptr<EventSink> sink);
  std::shared_ptr<EventSink> find(EventId id);  // null when unknown
  void close(EventId id);

 private:
  std::mutex mutex_;
  std::map<EventId, std::shared_ptr<EventSink>> sinks_;
  EventId last_ = 0;
};

EventSinks &event_sinks();

}  // namespace pcnhost
