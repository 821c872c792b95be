// Text and answer() against the JSON library, and without memory. Prints what is wrong; no output is success.
#include <sys/resource.h>

#include <cstdio>
#include <limits>
#include <random>

#include "dispatch.h"

using codegen::Text;
using nlohmann::json;

namespace {

int failures = 0;

void expect(bool good, const char *what) {
  if (good) return;
  std::printf("%s\n", what);
  ++failures;
}

template <typename T>
void same_as_the_library(const T &value) {
  Text text;
  codegen::write_value(text, value);
  if (text.view() == json(value).dump()) return;
  std::printf("%s became %.*s\n", json(value).dump().c_str(), int(text.size()), text.view().data());
  ++failures;
}

void values() {
  for (int c = 1; c < 128; ++c) same_as_the_library("a" + std::string(1, char(c)) + "b");
  for (const char *value : {"", "plain", "\u00e9\u20ac\U0001f600", "\"\\/", "10.0.0.1"})
    same_as_the_library(std::string(value));
  same_as_the_library(std::string("a\0b", 3));
  same_as_the_library(std::numeric_limits<int64_t>::min());
  same_as_the_library(std::numeric_limits<uint64_t>::max());
  same_as_the_library(uint8_t{200});
  same_as_the_library(int8_t{-128});
  same_as_the_library(0.1);
  same_as_the_library(true);
  std::mt19937_64 random{1};
  for (int i = 0; i < 10000; ++i) same_as_the_library(int64_t(random()));
}

void invalid_utf8_is_an_error() {
  const auto response = codegen::answer([] {
    codegen::Reply reply;
    reply.text.string("\xff");
    return reply;
  });
  expect(response.error_tag == kGenericError && response.message, "invalid UTF-8 was answered");
  std::free(response.message);
}

void nothing_is_null() {
  const auto response = codegen::answer([] { return codegen::Reply{kCreated, {}}; });
  expect(response.error_tag == kCreated && !response.message, "a success without text is not null");
}

// An answer that finds no memory is a failure, not a success without text.
void no_memory() {
  const rlimit limit{256 << 20, 256 << 20};
  setrlimit(RLIMIT_AS, &limit);
  const auto response = codegen::answer([] {
    codegen::Reply reply;
    for (;;) reply.text.raw("0123456789012345678901234567890123456789");
    return reply;
  });
  expect(response.error_tag == kGenericError, "an answer without memory is no failure");
  std::free(response.message);
}

}  // namespace

int main() {
  values();
  invalid_utf8_is_an_error();
  nothing_is_null();
  no_memory();
  return failures != 0;
}
