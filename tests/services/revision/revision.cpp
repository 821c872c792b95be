// The least a library needs to be loaded, with everything in it that could tie a reloaded one to its
// predecessor.
#include <polycube/services/response.h>
#include <polycube/services/shared_lib_elements.h>
#include <polycube/services/shared_library.h>

#include <cstring>

inline const std::string revision = "revision " REVISION;

struct Counted {
  int calls = 0;
  ~Counted() { calls = -1; }  // a destructor: the thread keeps the library mapped
};

template <class Type>
Type &instance() {
  static Type value;
  return value;
}

extern "C" {

const char *data_model() { return revision.c_str(); }

// How often it was called since this library was loaded, by anyone and by this thread.
Response read_revision_by_id_handler(const char *, const Key *, size_t) {
  thread_local Counted here;
  nlohmann::json answer = {
      {"revision", revision}, {"calls", ++instance<Counted>().calls}, {"here", ++here.calls}};
  return {kOk, strdup(answer.dump().c_str())};
}
}
