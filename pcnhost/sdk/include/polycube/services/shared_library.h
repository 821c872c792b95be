// Include in exactly one source file of a service: defines what every service library exports besides its
// handlers and data_model(), and the globals through which libpolycube finds the host.
#pragma once

#include "polycube/services/base_cube.h"

#ifndef SERVICE_PYANG_GIT
#define SERVICE_PYANG_GIT ""
#endif
#ifndef SERVICE_SWAGGER_CODEGEN_GIT
#define SERVICE_SWAGGER_CODEGEN_GIT ""
#endif

namespace polycube::service {

CubeFactory *factory_;
std::string logfile_;

}  // namespace polycube::service

extern "C" {

void init(polycube::service::CubeFactory *factory, const char *logfile) {
  polycube::service::factory_ = factory;
  polycube::service::logfile_ = logfile;
}

const char *pyang_git() { return SERVICE_PYANG_GIT; }
const char *swagger_codegen_git() { return SERVICE_SWAGGER_CODEGEN_GIT; }
}
