// The keys of lists: taken from a request, and shown.
#pragma once

#include <polycube/services/json.hpp>
#include <polycube/services/shared_lib_elements.h>

#include <cstring>
#include <string>

#include "errors.h"
#include "members.h"
#include "reader.h"
#include "writer.h"

namespace codegen {

// The list keys of a request, looked up by name.
class Keys {
 public:
  Keys(const Key *keys, size_t count) : keys_(keys), count_(count) {}

  std::string text(const char *name) const { return find(name).value.string; }

  template <typename Enum>
  Enum choice(const char *name, Enum (*parse)(const std::string &)) const {
    try {
      return parse(text(name));
    } catch (const ServiceError &error) {
      throw bad_value(std::string(name) + ": " + error.what());
    }
  }

  // A number or a boolean, checked as one in a body is.
  template <typename T>
  T number(const char *name, const Ranges<T> &ranges = {}) const {
    return read_leaf<T>(json(find(name)), name, ranges);
  }

 private:
  const Key &find(const char *name) const {
    for (size_t i = 0; i < count_; ++i) {
      if (std::strcmp(keys_[i].name, name) == 0) return keys_[i];
    }
    throw bad_value(std::string(name) + ": key missing in the request");
  }

  static Json json(const Key &key) {
    switch (key.type) {
      case BOOLEAN:
        return key.value.boolean;
      case INT8:
        return key.value.int8;
      case INT16:
        return key.value.int16;
      case INT32:
        return key.value.int32;
      case INT64:
        return key.value.int64;
      case UINT8:
        return key.value.uint8;
      case UINT16:
        return key.value.uint16;
      case UINT32:
        return key.value.uint32;
      case UINT64:
        return key.value.uint64;
      default:
        return key.value.string;
    }
  }

  const Key *keys_;
  size_t count_;
};

template <typename T>
T key_from(const Keys &keys);  // specialised for every key

// Calls `use` with the name and the plain text of each member of a key.
template <typename Use>
class KeyTexts {
 public:
  explicit KeyTexts(Use use) : use_(use) {}

  template <typename T>
  void required(const char *name, const T &member) {
    if constexpr (std::is_same_v<T, std::string>) {
      use_(name, member);
    } else if constexpr (std::is_enum_v<T>) {
      use_(name, to_string(member));
    } else if constexpr (std::is_same_v<T, bool>) {
      use_(name, std::string(member ? "true" : "false"));
    } else {
      use_(name, std::to_string(member));
    }
  }

 private:
  Use use_;
};

// The values of a key with a blank between them.
template <typename KeyType>
std::string key_text(const KeyType &key) {
  std::string all;
  KeyTexts texts([&](const char *, const std::string &text) { all += (all.empty() ? "" : " ") + text; });
  Members<KeyType>::visit(key, texts);
  return all;
}

// A key as an object of strings, as clients complete words with it.
template <typename KeyType>
void write_key_help(Text &text, const KeyType &key) {
  ObjectWriter writer(text);
  KeyTexts texts([&](const char *name, const std::string &value) { writer.required(name, value); });
  Members<KeyType>::visit(key, texts);
  writer.end();
}

// A key as the members of a request's body.
class KeyJson {
 public:
  template <typename T>
  void required(const char *name, const T &member) {
    if constexpr (std::is_enum_v<T>) {
      json[name] = to_string(member);
    } else {
      json[name] = member;
    }
  }

  nlohmann::json json = nlohmann::json::object();
};

template <typename KeyType>
nlohmann::json key_json(const KeyType &key) {
  KeyJson members;
  Members<KeyType>::visit(key, members);
  return std::move(members.json);
}

}  // namespace codegen
