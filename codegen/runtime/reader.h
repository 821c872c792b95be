// From the JSON of a request to structs.
#pragma once

#include <polycube/services/json.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "errors.h"
#include "members.h"

namespace codegen {

using Json = nlohmann::json;

inline ServiceError bad_member(const std::string &where, const std::string &problem) {
  return bad_value((where.empty() ? "body" : where) + ": " + problem);
}

inline ServiceError bad_kind(const Json &json, const std::string &where, const std::string &expected) {
  return bad_member(where, json.dump() + " is not " + expected);
}

// A number that came as a string, or what was given.
inline Json number_in(const Json &json) {
  return json.is_string() ? Json::parse(json.get<std::string>(), nullptr, false) : json;
}

template <typename T>
std::optional<T> to_integer(const Json &number) {
  const bool negative = !number.is_number_unsigned() && number.get<int64_t>() < 0;
  if (negative) {
    const auto value = number.get<int64_t>();
    if (std::is_unsigned_v<T> || value < static_cast<int64_t>(std::numeric_limits<T>::min())) return {};
    return static_cast<T>(value);
  }
  const auto value = number.get<uint64_t>();
  if (value > static_cast<uint64_t>(std::numeric_limits<T>::max())) return {};
  return static_cast<T>(value);
}

template <typename T>
std::string ranges_text(const Ranges<T> &ranges) {
  std::string text;
  for (const auto &[low, high] : ranges) {
    text += (text.empty() ? "" : ", ") + std::to_string(low);
    if (low != high) text += ".." + std::to_string(high);
  }
  return text;
}

template <typename T>
Ranges<T> all_of_type() {
  return {{std::numeric_limits<T>::min(), std::numeric_limits<T>::max()}};
}

// What a leaf of type T may be.
template <typename T>
std::string allowed_text(const Ranges<T> &ranges) {
  if constexpr (is_integer<T>) {
    return ranges_text(ranges.empty() ? all_of_type<T>() : ranges);
  } else if constexpr (std::is_enum_v<T>) {
    return enum_texts<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "a string";
  } else if constexpr (std::is_same_v<T, bool>) {
    return "true, false";
  } else {
    return "a value of its type";
  }
}

template <typename T>
T read_integer(const Json &json, const Json &number, const std::string &where, const Ranges<T> &ranges) {
  if (!number.is_number_integer()) {
    throw bad_kind(json, where, "a whole number, allowed " + allowed_text<T>(ranges));
  }
  const std::optional<T> value = to_integer<T>(number);
  for (const auto &[low, high] : ranges.empty() ? all_of_type<T>() : ranges) {
    if (value && low <= *value && *value <= high) return *value;
  }
  throw bad_member(where, json.dump() + " is out of range, allowed " + allowed_text<T>(ranges));
}

// Reads the value of a leaf.
template <typename T>
T read_leaf(const Json &json, const std::string &where, const Ranges<T> &ranges) {
  if constexpr (is_integer<T>) {
    // JSON numbers cannot hold all of 64 bits, so such values may come as strings.
    return read_integer<T>(json, sizeof(T) == 8 ? number_in(json) : json, where, ranges);
  } else if constexpr (std::is_enum_v<T>) {
    if (!json.is_string()) throw bad_kind(json, where, "a string");
    try {
      return parse_enum<T>(json.get<std::string>());
    } catch (const ServiceError &error) {
      throw bad_member(where, error.what());
    }
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) throw bad_kind(json, where, "a string");
    return json.get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) throw bad_kind(json, where, "true or false");
    return json.get<bool>();
  } else if constexpr (std::is_same_v<T, double>) {
    const Json number = number_in(json);
    if (!number.is_number()) throw bad_kind(json, where, "a number");
    return number.get<double>();
  } else if constexpr (std::is_same_v<T, std::monostate>) {  // type empty
    if (json != Json::array({nullptr})) throw bad_kind(json, where, "[null]");
    return {};
  } else {  // union
    if (json.is_null() || json.is_structured()) throw bad_kind(json, where, "a single value");
    return json;
  }
}

template <typename Struct>
Struct read_struct(const Json &json, const std::string &where);

template <typename Struct>
std::vector<Struct> read_list(const Json &json, const std::string &where);

// Fills the members of a struct from a JSON object.
class Reader {
 public:
  Reader(const Json &json, const std::string &where) : json_(json), where_(where) {}

  void base(Json &member) { member = json_; }

  template <typename T>
  void required(const char *name, T &member, const Ranges<T> &ranges = {}) {
    const Json *json = find(name);
    if (!json) throw bad_member(path(name), "missing, allowed: " + allowed_text<T>(ranges));
    if constexpr (is_integer<T>) {
      // A key that polycubed's dump took from a path is a string.
      member = read_integer<T>(*json, number_in(*json), path(name), ranges);
    } else {
      member = read_leaf<T>(*json, path(name), ranges);
    }
  }

  template <typename T>
  void leaf(const char *name, std::optional<T> &member, const Ranges<T> &ranges = {}) {
    if (const Json *json = find(name)) member = read_leaf<T>(*json, path(name), ranges);
  }

  template <typename T>
  void output(const char *, std::optional<T> &, const Ranges<T> & = {}) {}

  template <typename T>
  void container(const char *name, std::optional<T> &member) {
    if (const Json *json = find(name)) member = read_struct<T>(*json, path(name));
  }

  template <typename T>
  void list(const char *name, std::vector<T> &member) {
    if (const Json *json = find(name)) member = read_list<T>(*json, path(name));
  }

 private:
  const Json *find(const char *name) const {
    const auto found = json_.find(name);
    return found == json_.end() ? nullptr : &*found;
  }

  std::string path(const char *name) const { return where_.empty() ? name : where_ + "." + name; }

  const Json &json_;
  const std::string &where_;
};

template <typename Struct>
Struct read_struct(const Json &json, const std::string &where) {
  if (!json.is_object()) throw bad_kind(json, where, "an object");
  Struct value{};
  Reader reader(json, where);
  Members<Struct>::visit(value, reader);
  return value;
}

template <typename Struct>
std::vector<Struct> read_list(const Json &json, const std::string &where) {
  if (!json.is_array()) throw bad_kind(json, where, "a list");
  std::vector<Struct> entries;
  entries.reserve(json.size());
  std::map<decltype(std::declval<Struct>().key()), std::string> seen;
  for (const Json &item : json) {
    const std::string place = where + "[" + std::to_string(entries.size()) + "]";
    entries.push_back(read_struct<Struct>(item, place));
    const auto [first, fresh] = seen.emplace(entries.back().key(), place);
    if (!fresh) throw bad_member(place, to_string(first->first) + " is already given by " + first->second);
  }
  return entries;
}

}  // namespace codegen
