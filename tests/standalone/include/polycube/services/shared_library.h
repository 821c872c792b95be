// To be included once: defines what every service exports.
#pragma once
#include <string>

#include "cube_factory.h"

namespace polycube::service {
CubeFactory *factory_;
std::string logfile_;
}  // namespace polycube::service

#ifndef SERVICE_PYANG_GIT
#define SERVICE_PYANG_GIT ""
#endif
#ifndef SERVICE_SWAGGER_CODEGEN_GIT
#define SERVICE_SWAGGER_CODEGEN_GIT ""
#endif

extern "C" const char *pyang_git() { return SERVICE_PYANG_GIT; }
extern "C" const char *swagger_codegen_git() { return SERVICE_SWAGGER_CODEGEN_GIT; }
extern "C" void init(polycube::service::CubeFactory *factory, const char *logfile) {
  polycube::service::factory_ = factory;
  polycube::service::logfile_ = logfile;
}
