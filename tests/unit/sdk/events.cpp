// EventSink: what a callback may rely on while its cube is destroyed. Prints what is wrong; the exit status
// is the number of failures.
#include "events.h"

#include <atomic>
#include <chrono>
#include <future>
#include <iostream>

using namespace pcnhost;
using namespace polycube::service;
using namespace std::chrono_literals;

namespace {

int failures = 0;

void expect(bool holds, const char *text, int line) {
  if (holds) return;
  std::cout << "line " << line << ": " << text << "\n";
  ++failures;
}

#define EXPECT(condition) expect(condition, #condition, __LINE__)

// A cube's callbacks, of which packet_in is the test's own.
struct Callbacks {
  packet_in_cb packet_in;
  log_msg_cb log_message = [](const LogMsg *) {};
  set_log_level_cb log_level = [](polycube::LogLevel) {};
};

void close_waits_for_the_callbacks_of_other_threads() {
  std::promise<void> entered, go_on;
  Callbacks callbacks{[&](const PacketIn *, const std::vector<uint8_t> &) {
    entered.set_value();
    go_on.get_future().wait();
  }};
  EventSink sink(callbacks.packet_in, callbacks.log_message, callbacks.log_level);
  auto event = std::async(std::launch::async, [&] { sink.packet_in({}, {}); });
  entered.get_future().wait();
  auto closing = std::async(std::launch::async, [&] { sink.close(); });
  EXPECT(closing.wait_for(100ms) == std::future_status::timeout);
  go_on.set_value();
  EXPECT(closing.wait_for(10s) == std::future_status::ready);
  event.wait();
}

void closed_sink_drops_events() {
  int calls = 0;
  Callbacks callbacks{[&](const PacketIn *, const std::vector<uint8_t> &) { ++calls; }};
  EventSink sink(callbacks.packet_in, callbacks.log_message, callbacks.log_level);
  sink.packet_in({}, {});
  sink.close();
  sink.packet_in({}, {});
  EXPECT(calls == 1);
}

void callback_may_close_its_own_sink() {
  EventSink *self = nullptr;
  Callbacks callbacks{[&](const PacketIn *, const std::vector<uint8_t> &) { self->close(); }};
  EventSink sink(callbacks.packet_in, callbacks.log_message, callbacks.log_level);
  self = &sink;
  auto event = std::async(std::launch::async, [&] { sink.packet_in({}, {}); });
  EXPECT(event.wait_for(10s) == std::future_status::ready);
}

void callback_may_cause_a_further_event() {
  EventSink *self = nullptr;
  int levels = 0;
  Callbacks callbacks;
  callbacks.packet_in = [&](const PacketIn *, const std::vector<uint8_t> &) {
    self->log_level(polycube::LogLevel::DEBUG);
  };
  callbacks.log_level = [&](polycube::LogLevel) { ++levels; };
  EventSink sink(callbacks.packet_in, callbacks.log_message, callbacks.log_level);
  self = &sink;
  sink.packet_in({}, {});
  EXPECT(levels == 1);
  sink.close();  // both have left
}

void exception_passes_and_leaves_nothing_behind() {
  Callbacks callbacks{[](const PacketIn *, const std::vector<uint8_t> &) { throw std::runtime_error("no"); }};
  EventSink sink(callbacks.packet_in, callbacks.log_message, callbacks.log_level);
  bool thrown = false;
  try {
    sink.packet_in({}, {});
  } catch (const std::runtime_error &) {
    thrown = true;
  }
  EXPECT(thrown);
  auto closing = std::async(std::launch::async, [&] { sink.close(); });
  EXPECT(closing.wait_for(10s) == std::future_status::ready);
}

void closed_id_finds_nothing_for_ever() {
  Callbacks callbacks;
  auto make = [&] {
    return std::make_shared<EventSink>(callbacks.packet_in, callbacks.log_message, callbacks.log_level);
  };
  EventSinks sinks;
  EventId first = sinks.add(make());
  EXPECT(sinks.find(first) != nullptr);
  sinks.close(first);
  EXPECT(sinks.find(first) == nullptr);
  EXPECT(sinks.add(make()) != first);
  sinks.close(first);  // twice is once
}

}  // namespace

int main() {
  close_waits_for_the_callbacks_of_other_threads();
  closed_sink_drops_events();
  callback_may_close_its_own_sink();
  callback_may_cause_a_further_event();
  exception_passes_and_leaves_nothing_behind();
  closed_id_finds_nothing_for_ever();
  return failures;
}
