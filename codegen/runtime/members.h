// What the generated code tells about its types.
#pragma once

#include <strings.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "errors.h"

namespace codegen {

template <typename Enum>
struct Texts;  // `all`: the YANG texts of an enumeration, in the order of its values

template <typename Struct>
struct Members;  // `visit(value, visitor)`: calls the visitor for every member

template <typename T>
using Ranges = std::vector<std::pair<T, T>>;  // inclusive; empty: no limit but that of the type

template <typename T>
constexpr bool is_integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;

template <typename Enum>
std::string enum_text(Enum value) {
  std::string text = Texts<Enum>::all[static_cast<size_t>(value)];
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

template <typename Enum>
std::string enum_texts() {
  std::string all;
  for (const char *text : Texts<Enum>::all) all += (all.empty() ? "" : ", ") + std::string(text);
  return all;
}

template <typename Enum>
Enum parse_enum(const std::string &text) {
  for (size_t i = 0; i < std::size(Texts<Enum>::all); ++i) {
    if (strcasecmp(text.c_str(), Texts<Enum>::all[i]) == 0) return static_cast<Enum>(i);
  }
  throw bad_value("\"" + text + "\" is not one of " + enum_texts<Enum>());
}

}  // namespace codegen
