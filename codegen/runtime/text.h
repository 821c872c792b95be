// JSON text under construction. It is written once, from front to back, in memory that the host may free(): a
// large answer exists neither as a tree nor as a second copy.
#pragma once

#include <polycube/services/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace codegen {

class Text {
 public:
  Text() = default;
  explicit Text(std::string_view text) { raw(text); }
  Text(Text &&other) noexcept { *this = std::move(other); }
  Text &operator=(Text &&other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Text() { std::free(data_); }

  // As it is.
  void raw(std::string_view part) {
    reserve(part.size());
    if (!part.empty()) std::memcpy(data_ + size_, part.data(), part.size());
    size_ += part.size();
  }

  void raw(char c) {
    reserve(1);
    data_[size_++] = c;
  }

  // As a JSON string.
  void string(std::string_view value) {
    reserve(value.size() + 2);
    char *end = data_ + size_;
    *end++ = '"';
    for (const char c : value) {
      if (!is_plain(c)) return raw(nlohmann::json(std::string(value)).dump());
      *end++ = c;
    }
    *end++ = '"';
    size_ = end - data_;
  }

  // The name of a member, which needs no escapes, with a comma before it unless it is the first one.
  void member(std::string_view name, bool first) {
    reserve(name.size() + 4);
    char *end = data_ + size_;
    if (!first) *end++ = ',';
    *end++ = '"';
    end = std::copy(name.begin(), name.end(), end);
    *end++ = '"';
    *end++ = ':';
    size_ = end - data_;
  }

  template <typename Integer>
  void integer(Integer value) {
    constexpr std::size_t longest = 20;  // -9223372036854775808
    reserve(longest);
    size_ = std::to_chars(data_ + size_, data_ + size_ + longest, value).ptr - data_;
  }

  std::size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }

  // The text with a NUL behind it, for the caller to free(); null when there is none.
  char *release() {
    if (size_ == 0) return nullptr;
    raw('\0');
    size_ = capacity_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  // Neither escaped nor part of a longer character, which the JSON library checks.
  static bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

  void reserve(std::size_t more) {
    if (size_ + more <= capacity_) return;
    std::size_t wanted = capacity_ < 64 ? 64 : capacity_;
    while (wanted < size_ + more) wanted *= 2;
    auto *const grown = static_cast<char *>(std::realloc(data_, wanted));
    if (!grown) throw std::bad_alloc();
    data_ = grown;
    capacity_ = wanted;
  }

  char *data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace codegen
