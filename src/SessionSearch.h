// The actions on sessions: find some, end some.
#pragma once

#include <polycube/services/base_cube.h>

#include "Evictions.h"
#include "config.h"

namespace k8slbrp {

// They walk through the tables and take none of the cube's locks.
nlohmann::json find_sessions(polycube::service::BaseCube &cube, const Openings &openings,
                             const SessionsFindInput &input);
nlohmann::json end_sessions(polycube::service::BaseCube &cube, const Openings &openings, Evictions &evictions,
                            const SessionsEndInput &input);

}  // namespace k8slbrp
