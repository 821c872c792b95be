// The functions that pcnhost/bridge.py calls. No exception leaves them. An `error` is NULL or a text to be
// given to free().
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "events.h"
#include "factory.h"
#include "polycube/common.h"
#include "polycube/services/response.h"
#include "polycube/services/shared_lib_elements.h"

namespace {

using namespace polycube::service;
using pcnhost::EventId;
using pcnhost::EventSink;
using pcnhost::Factory;

using ReadHandler = Response(const char *cube, const Key *keys, std::size_t count);
using WriteHandler = Response(const char *cube, const Key *keys, std::size_t count, const char *body);

template <class Work>
char *error_of(Work work) noexcept {
  try {
    work();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("unknown exception");
  }
}

template <class Work>
char *deliver(EventId id, Work work) noexcept {
  return error_of([&] {
    if (auto sink = pcnhost::event_sinks().find(id)) work(*sink);
  });
}

}  // namespace

#define PCNHOST_FUNCTION extern "C" __attribute__((visibility("default")))

// A factory lives for ever: the library that holds it may run destructors until the process is gone.
PCNHOST_FUNCTION CubeFactory *pcnhost_attach(const pcnhost::HostCalls *calls) { return new Factory(*calls); }

PCNHOST_FUNCTION void pcnhost_detach(CubeFactory *factory) { static_cast<Factory *>(factory)->close(); }

// A text that a library says of itself, such as its data model.
PCNHOST_FUNCTION char *pcnhost_constant(const char *(*function)(), const char **text) {
  return error_of([&] { *text = function(); });
}

PCNHOST_FUNCTION char *pcnhost_init(void (*init)(CubeFactory *, const char *), CubeFactory *factory,
                                    const char *logfile) {
  return error_of([&] { init(factory, logfile); });
}

// Runs a handler, the kind with a body when there is one. An exception answers as polycubed does: its text,
// status 500.
PCNHOST_FUNCTION Response pcnhost_invoke(void *handler, const char *cube, const Key *keys, std::size_t count,
                                         const char *body) {
  ErrorTag tag = kGenericError;
  char *message = nullptr;
  char *error = error_of([&] {
    Response response = body ? reinterpret_cast<WriteHandler *>(handler)(cube, keys, count, body)
                             : reinterpret_cast<ReadHandler *>(handler)(cube, keys, count);
    tag = response.error_tag;
    message = response.message;
  });
  return {tag, error ? error : message};
}

// Where the log is written; NULL: nowhere.
PCNHOST_FUNCTION void pcnhost_set_log(pcnhost::LogFunction *log) { pcnhost::log_function() = log; }

PCNHOST_FUNCTION void pcnhost_reply(std::string *reply, const char *text, std::size_t length) {
  reply->assign(text, length);
}

PCNHOST_FUNCTION char *pcnhost_packet_in(EventId id, const PacketIn *record, const uint8_t *packet,
                                         std::size_t length) {
  return deliver(id, [&](EventSink &sink) { sink.packet_in(*record, {packet, packet + length}); });
}

// `record` is followed by its text.
PCNHOST_FUNCTION char *pcnhost_log_message(EventId id, const LogMsg *record) {
  return deliver(id, [&](EventSink &sink) { sink.log_message(*record); });
}

PCNHOST_FUNCTION char *pcnhost_log_level(EventId id, const char *level) {
  return deliver(id, [&](EventSink &sink) { sink.log_level(polycube::stringLogLevel(level)); });
}
