// From structs to the JSON text of an answer. Each struct of the service has an overload of write().
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "members.h"
#include "text.h"

namespace codegen {

template <typename T>
void write_value(Text &text, const T &value) {
  if constexpr (is_integer<T>) {
    text.integer(value);
  } else if constexpr (std::is_enum_v<T>) {
    text.string(to_string(value));
  } else if constexpr (std::is_same_v<T, std::string>) {
    text.string(value);
  } else if constexpr (std::is_same_v<T, bool>) {
    text.raw(value ? "true" : "false");
  } else if constexpr (std::is_same_v<T, std::monostate>) {  // type empty
    text.raw("[null]");
  } else {  // double, union
    text.raw(nlohmann::json(value).dump());
  }
}

// Writes an array, entry by entry; what `none` says when there is not one.
class ArrayWriter {
 public:
  ArrayWriter(Text &text, std::string_view none) : text_(text), none_(none) {}

  template <typename Write>
  void entry(Write write) {
    text_.raw(empty_ ? '[' : ',');
    empty_ = false;
    write();
  }

  void end() {
    if (empty_) {
      text_.raw(none_);
    } else {
      text_.raw(']');
    }
  }

 private:
  Text &text_;
  std::string_view none_;
  bool empty_ = true;
};

// Writes an object, leaving out what is absent or empty. What the host says comes first; a member of the
// service of the same name takes its place.
class ObjectWriter {
 public:
  explicit ObjectWriter(Text &text) : text_(text) { text_.raw('{'); }

  // Before all other members. `host` must live as long as the writer.
  void base(const nlohmann::json &host) {
    if (!host.is_object()) return;
    host_ = &host;
    next_ = host.begin();
  }

  template <typename T>
  void required(const char *name, const T &member, const Ranges<T> & = {}) {
    begin(name);
    write_value(text_, member);
  }

  template <typename T>
  void leaf(const char *name, const std::optional<T> &member, const Ranges<T> & = {}) {
    if (member) required(name, *member);
  }

  template <typename T>
  void output(const char *name, const std::optional<T> &member, const Ranges<T> & = {}) {
    leaf(name, member);
  }

  template <typename T>
  void container(const char *name, const std::optional<T> &member) {
    if (!member) return;
    begin(name);
    write(text_, *member);
  }

  template <typename T>
  void list(const char *name, const std::vector<T> &member) {
    entries(name, [&](const auto &show) {
      for (const T &entry : member) show(entry);
    });
  }

  // A list whose entries `each` hands to the function it is given.
  template <typename Each>
  void entries(const char *name, const Each &each) {
    bool empty = true;
    each([&](const auto &entry) {
      if (empty) {
        begin(name);
        text_.raw('[');
      } else {
        text_.raw(',');
      }
      empty = false;
      write(text_, entry);
    });
    if (empty) {
      skip(name);
    } else {
      text_.raw(']');
    }
  }

  void end() {
    copy_host_until(nullptr);
    text_.raw('}');
  }

 private:
  using Member = nlohmann::json::const_iterator;

  void begin(const char *name) {
    skip(name);
    text_.member(name, first_);
    first_ = false;
  }

  // The host's members before `name`, and past the one of that name.
  void skip(const char *name) {
    if (!host_) return;
    copy_host_until(name);
    if (next_ != host_->end()) ++next_;
  }

  void copy_host_until(const char *name) {
    for (; host_ && next_ != host_->end() && (!name || next_.key() != name); ++next_) {
      if (!first_) text_.raw(',');
      first_ = false;
      text_.string(next_.key());
      text_.raw(':');
      text_.raw(next_->dump());
    }
  }

  Text &text_;
  const nlohmann::json *host_ = nullptr;
  Member next_{};
  bool first_ = true;
};

template <typename Struct>
void write_struct(Text &text, const Struct &value) {
  ObjectWriter writer(text);
  Members<Struct>::visit(value, writer);
  writer.end();
}

// Writes the value of one leaf.
class LeafWriter {
 public:
  LeafWriter(Text &text, const char *name) : text_(text), name_(name) {}

  void base(const nlohmann::json &) {}

  template <typename T>
  void required(const char *name, const T &member, const Ranges<T> & = {}) {
    if (std::strcmp(name, name_) == 0) write_value(text_, member);
  }

  template <typename T>
  void leaf(const char *name, const std::optional<T> &member, const Ranges<T> & = {}) {
    if (member) required(name, *member);
  }

  template <typename T>
  void output(const char *name, const std::optional<T> &member, const Ranges<T> & = {}) {
    leaf(name, member);
  }

  template <typename T>
  void container(const char *, const std::optional<T> &) {}

  template <typename T>
  void list(const char *, const std::vector<T> &) {}

 private:
  Text &text_;
  const char *name_;
};

template <typename Struct>
void write_leaf(Text &text, const Struct &value, const char *leaf) {
  LeafWriter writer(text, leaf);
  Members<Struct>::visit(value, writer);
}

// What a leaf `name` that nobody has set, or that shows only what is not the default, is asked for.
inline void write_default(Text &text, const char *leaf, const char *name, const char *json) {
  if (text.size() == 0 && std::strcmp(leaf, name) == 0) text.raw(json);
}

}  // namespace codegen
