#pragma once

#include <string>
#include <utility>

// Identifier of a cube or port, in the text form 8-4-4-4-12.
class Guid {
 public:
  explicit Guid(std::string text) : text_(std::move(text)) {}
  std::string str() const { return text_; }
  bool operator==(const Guid &other) const { return text_ == other.text_; }
  bool operator!=(const Guid &other) const { return text_ != other.text_; }

 private:
  std::string text_;
};
