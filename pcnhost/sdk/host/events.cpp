#include "events.h"

#include <utility>

namespace pcnhost {

namespace {

// The sinks whose callbacks run on this thread, innermost last.
thread_local std::vector<const EventSink *> entered;

}  // namespace

bool EventSink::enter() {
  std::lock_guard<std::mutex> guard(mutex_);
  if (closed_) return false;
  entered.push_back(this);
  ++running_;
  return true;
}

void EventSink::leave() {
  std::lock_guard<std::mutex> guard(mutex_);
  entered.pop_back();
  --running_;
  left_.notify_all();
}

template <class Callback, class... Arguments>
void EventSink::deliver(const Callback &callback, Arguments &&...arguments) {
  if (!enter()) return;
  struct Leave {
    EventSink *sink;
    ~Leave() { sink->leave(); }
  } leave{this};
  if (callback) callback(std::forward<Arguments>(arguments)...);
}

void EventSink::packet_in(const polycube::service::PacketIn &record, const std::vector<uint8_t> &packet) {
  deliver(packet_in_, &record, packet);
}

void EventSink::log_message(const polycube::service::LogMsg &record) { deliver(log_message_, &record); }

void EventSink::log_level(polycube::LogLevel level) { deliver(log_level_, level); }

void EventSink::close() {
  std::size_t own = 0;
  for (const auto *sink : entered) own += sink == this;
  std::unique_lock<std::mutex> lock(mutex_);
  closed_ = true;
  left_.wait(lock, [&] { return running_ <= own; });
}

EventId EventSinks::add(std::shared_ptr<EventSink> sink) {
  std::lock_guard<std::mutex> guard(mutex_);
  sinks_.emplace(++last_, std::move(sink));
  return last_;
}

std::shared_ptr<EventSink> EventSinks::find(EventId id) {
  std::lock_guard<std::mutex> guard(mutex_);
  auto found = sinks_.find(id);
  return found == sinks_.end() ? nullptr : found->second;
}

void EventSinks::close(EventId id) {
  auto sink = find(id);
  if (!sink) return;
  sink->close();
  std::lock_guard<std::mutex> guard(mutex_);
  sinks_.erase(id);
}

EventSinks &event_sinks() {
  static auto *sinks = new EventSinks;  // never freed: engine threads may outlive the static objects at exit
  return *sinks;
}

}  // namespace pcnhost
