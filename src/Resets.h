// Packets of TCP sessions that have been ended with a reset.
#pragma once

#include <polycube/services/base_cube.h>

#include <cstdint>
#include <vector>

#include "Openings.h"
#include "SlowPath.h"

namespace k8slbrp {

// Tells the other end of a packet's session that it is over, in the name of the sender: an RST goes on as it
// is; in the place of another packet goes one that the receiver has to answer, by which the sequence numbers
// are known that its own reset needs. Throws Tins::exception_base.
void tell_other_end(polycube::service::BaseCube &cube, const Openings &openings, const SlowPathView &view,
                    const Ports &in, const std::vector<uint8_t> &packet);

}  // namespace k8slbrp
