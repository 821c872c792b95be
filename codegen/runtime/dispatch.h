// From the C calls of the host to the methods of the service. The tables below are filled by generated code.
#pragma once

#include <polycube/services/json.hpp>
#include <polycube/services/response.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "cubes.h"
#include "errors.h"
#include "keys.h"
#include "reading.h"
#include "writer.h"

namespace codegen {

struct Request {
  std::string cube;
  Keys keys;
  nlohmann::json body;
};

struct Reply {
  ErrorTag tag = kOk;
  Text text;
};

// Answers with what `work` returns, or with what it throws. A failure keeps its tag when there is no memory
// for its text; a success has its text already.
template <typename Work>
Response answer(Work work) noexcept {
  const auto failure = [](ErrorTag tag, const char *text) { return Response{tag, strdup(text)}; };
  try {
    Reply reply = work();
    return {reply.tag, reply.text.release()};
  } catch (const ServiceError &error) {
    return failure(error.tag(), error.what());
  } catch (const std::exception &error) {
    return failure(kGenericError, error.what());
  } catch (...) {
    return failure(kGenericError, "unknown error");
  }
}

template <typename... Types>
struct Pack {};

// The value of one leaf of something that was read.
template <typename Config>
Reply show_leaf(const Config &config, const char *leaf) {
  Reply reply;
  write_leaf(reply.text, config, leaf);
  if (reply.text.size() == 0) throw missing(std::string(leaf) + " is not set");
  return reply;
}

// The cubes themselves.
template <typename Api, typename Config>
struct CubeTable {
  Config (*parse)(const nlohmann::json &) = nullptr;
  std::shared_ptr<Api> (*make)(const Config &) = nullptr;
  void (*write)(Text &, Api &) = nullptr;  // the whole cube

  Reply create(const Request &request) const {
    const Config config = parse(request.body);
    cubes<Api>().create(config.name, [&] { return make(config); });
    return {kCreated, {}};
  }

  // PUT of a cube creates it; hosts refuse it when the cube exists.
  Reply replace(const Request &request) const { return create(request); }

  Reply update(const Request &request) const {
    cubes<Api>().get(request.cube)->update(parse(request.body));
    return {};
  }

  // All or nothing over several cubes is more than a service promises, so there must not be several.
  Reply update_list(const Request &request) const {
    if (!request.body.is_array()) throw bad_value("body: " + request.body.dump() + " is not a list");
    if (request.body.size() > 1) {
      throw unsupported("body: " + std::to_string(request.body.size()) +
                        " cubes cannot be changed in one request, allowed 1");
    }
    for (const nlohmann::json &item : request.body) {
      const Config config = parse(item);
      cubes<Api>().get(config.name)->update(config);
    }
    return {};
  }

  Reply read(const Request &request) const {
    Reply reply;
    write(reply.text, *cubes<Api>().get(request.cube));
    return reply;
  }

  // A cube that is deleted meanwhile is left out.
  Reply read_list() const {
    Reply reply;
    ArrayWriter array(reply.text, "[]");
    for (const std::string &name : cubes<Api>().names()) {
      if (const auto cube = cubes<Api>().find(name)) array.entry([&] { write(reply.text, **cube); });
    }
    array.end();
    return reply;
  }

  Reply remove(const Request &request) const {
    cubes<Api>().remove(request.cube);
    return {};
  }

  Reply help() const {
    Reply reply;
    ArrayWriter array(reply.text, "[]");
    for (const std::string &name : cubes<Api>().names()) {
      array.entry([&] {
        ObjectWriter object(reply.text);
        object.required("name", name);
        object.end();
      });
    }
    array.end();
    return reply;
  }

  Reply read_leaf(const Request &request, const char *leaf) const {
    return show_leaf(cubes<Api>().get(request.cube)->read(), leaf);
  }

  Reply update_leaf(const Request &request, const char *leaf) const {
    nlohmann::json config;
    config["name"] = request.cube;
    config[leaf] = request.body;
    cubes<Api>().get(request.cube)->update(parse(config));
    return {};
  }
};

// The methods behind the nodes of the model. `Parents` are the keys of the enclosing lists, outermost first.
// `Depths` is a Pack of Depth where there is more than leaves to read, else empty. What cannot be written has
// the reading half only.
template <typename Api, typename... Parents>
struct Resource {
  template <typename Method, typename... Arguments>
  static auto call(const Request &request, Method method, const Arguments &...arguments) {
    const auto cube = cubes<Api>().get(request.cube);
    return ((*cube).*method)(key_from<Parents>(request.keys)..., arguments...);
  }
};

template <typename Api, typename Config, typename Parents = Pack<>, typename Depths = Pack<>>
struct ListTable;

template <typename Api, typename Config, typename... Parents, typename... Depths>
struct ListTable<Api, Config, Pack<Parents...>, Pack<Depths...>> : Resource<Api, Parents...> {
  using EntryKey = decltype(std::declval<Config>().key());
  using Entries = std::vector<Config>;

  Config (Api::*read)(const Parents &..., const EntryKey &, Depths...) = nullptr;
  void (Api::*read_list)(const Parents &..., Depths..., const Show<Config> &) = nullptr;
  Config (*parse)(const nlohmann::json &) = nullptr;
  Entries (*parse_list)(const nlohmann::json &) = nullptr;
  void (Api::*create)(const Parents &..., const Entries &) = nullptr;
  void (Api::*replace)(const Parents &..., const Config &) = nullptr;
  void (Api::*replace_list)(const Parents &..., const Entries &) = nullptr;
  void (Api::*update)(const Parents &..., const Entries &) = nullptr;
  void (Api::*remove)(const Parents &..., const EntryKey &) = nullptr;
  void (Api::*remove_list)(const Parents &...) = nullptr;

  Reply create_entry(const Request &request) const {
    this->call(request, create, Entries{parse(request.body)});
    return {kCreated, {}};
  }

  Reply create_list(const Request &request) const {
    this->call(request, create, parse_list(request.body));
    return {kCreated, {}};
  }

  Reply replace_entry(const Request &request) const {
    this->call(request, replace, parse(request.body));
    return {};
  }

  Reply replace_entries(const Request &request) const {
    this->call(request, replace_list, parse_list(request.body));
    return {};
  }

  Reply update_entry(const Request &request) const {
    this->call(request, update, Entries{parse(request.body)});
    return {};
  }

  Reply update_list(const Request &request) const {
    this->call(request, update, parse_list(request.body));
    return {};
  }

  Reply delete_entry(const Request &request) const {
    this->call(request, remove, key(request));
    return {};
  }

  Reply delete_list(const Request &request) const {
    this->call(request, remove_list);
    return {};
  }

  Reply read_entry(const Request &request) const {
    Reply reply;
    write(reply.text, this->call(request, read, key(request), Depths(Depth::All)...));
    return reply;
  }

  // An empty list reads as null.
  Reply read_entries(const Request &request) const {
    Reply reply;
    ArrayWriter array(reply.text, "null");
    const Show<Config> show = [&](const Config &entry) { array.entry([&] { write(reply.text, entry); }); };
    this->call(request, read_list, Depths(Depth::All)..., show);
    array.end();
    return reply;
  }

  // The keys of all entries, every value a string.
  Reply help(const Request &request) const {
    Reply reply;
    ArrayWriter array(reply.text, "[]");
    const Show<Config> show = [&](const Config &entry) {
      array.entry([&] { write_help(reply.text, entry.key()); });
    };
    this->call(request, read_list, Depths(Depth::Leaves)..., show);
    array.end();
    return reply;
  }

  Reply read_leaf(const Request &request, const char *leaf) const {
    return show_leaf(this->call(request, read, key(request), Depths(Depth::Leaves)...), leaf);
  }

  Reply update_leaf(const Request &request, const char *leaf) const {
    nlohmann::json entry = to_json(key(request));
    entry[leaf] = request.body;
    this->call(request, update, Entries{parse(entry)});
    return {};
  }

 private:
  EntryKey key(const Request &request) const { return key_from<EntryKey>(request.keys); }
};

// The entries of a list directly below the cube, as a member of the cube.
template <typename Api, typename Config, typename... Depths>
void write_entries(ObjectWriter &object, const char *name, Api &cube,
                   const ListTable<Api, Config, Pack<>, Pack<Depths...>> &list) {
  object.entries(name,
                 [&](const Show<Config> &show) { (cube.*list.read_list)(Depths(Depth::All)..., show); });
}

template <typename Api, typename Config, typename Parents = Pack<>, typename Depths = Pack<>>
struct ContainerTable;

template <typename Api, typename Config, typename... Parents, typename... Depths>
struct ContainerTable<Api, Config, Pack<Parents...>, Pack<Depths...>> : Resource<Api, Parents...> {
  Config (Api::*read)(const Parents &..., Depths...) = nullptr;
  Config (*parse)(const nlohmann::json &) = nullptr;
  void (Api::*replace)(const Parents &..., const Config &) = nullptr;
  void (Api::*update)(const Parents &..., const Config &) = nullptr;
  void (Api::*remove)(const Parents &...) = nullptr;

  Reply replace_all(const Request &request) const {
    this->call(request, replace, parse(request.body));
    return {};
  }

  Reply update_some(const Request &request) const {
    this->call(request, update, parse(request.body));
    return {};
  }

  Reply delete_all(const Request &request) const {
    this->call(request, remove);
    return {};
  }

  Reply read_all(const Request &request) const {
    Reply reply;
    write(reply.text, this->call(request, read, Depths(Depth::All)...));
    return reply;
  }

  Reply read_leaf(const Request &request, const char *leaf) const {
    return show_leaf(this->call(request, read, Depths(Depth::Leaves)...), leaf);
  }

  Reply update_leaf(const Request &request, const char *leaf) const {
    nlohmann::json config;
    config[leaf] = request.body;
    this->call(request, update, parse(config));
    return {};
  }
};

template <typename Api, typename Input, typename Parents = Pack<>>
struct ActionTable;

template <typename Api, typename Input, typename... Parents>
struct ActionTable<Api, Input, Pack<Parents...>> : Resource<Api, Parents...> {
  nlohmann::json (Api::*run)(const Parents &..., const Input &) = nullptr;
  Input (*parse)(const nlohmann::json &) = nullptr;

  Reply call_action(const Request &request) const {
    return {kCreated, Text(this->call(request, run, parse(request.body)).dump())};
  }
};

}  // namespace codegen
