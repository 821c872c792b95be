// A host without kernel: maps are std::map, programs are not looked at.
#pragma once

#include <polycube/services/cube_factory.h>

// Every peer but "nowhere" exists. Nothing remains of a cube that has gone.
polycube::service::CubeFactory &fake_host();
