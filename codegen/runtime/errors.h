// Errors that are the client's. Any other exception that leaves the service makes status 500 with its text.
#pragma once

#include <polycube/services/response.h>

#include <stdexcept>
#include <string>

namespace codegen {

class ServiceError : public std::runtime_error {
 public:
  ServiceError(ErrorTag tag, const std::string &text) : std::runtime_error(text), tag_(tag) {}
  ErrorTag tag() const { return tag_; }

 private:
  ErrorTag tag_;
};

// The request makes no sense: status 400, the client sees the text.
inline ServiceError bad_value(const std::string &text) { return {kBadRequest, text}; }

// What should be created is there already: status 409.
inline ServiceError already_exists(const std::string &text) { return {kDataExists, text}; }

// What should be read, changed or deleted is not there: status 409.
inline ServiceError missing(const std::string &text) { return {kDataMissing, text}; }

// The service cannot do this at all: status 400, the client sees the text.
inline ServiceError unsupported(const std::string &text) { return {kBadRequest, text}; }

}  // namespace codegen
