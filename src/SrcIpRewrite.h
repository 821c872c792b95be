// The setting that shows clients of one range to the backends under addresses of another.
#pragma once

#include <string>

#include "config.h"
#include "datapath/abi.h"

namespace k8slbrp {

struct SrcIpRewrite {
  std::string ip_range;
  std::string new_ip_range;

  // The setting after a POST or PUT, and after a PATCH. Throw bad_value.
  static SrcIpRewrite from(const SrcIpRewriteConfig &config);
  SrcIpRewrite updated(const SrcIpRewriteConfig &config) const;

  SrcIpRewriteConfig config() const;
  abi::src_ip_rewrite for_kernel() const;  // in force only when both ranges are given
};

}  // namespace k8slbrp
