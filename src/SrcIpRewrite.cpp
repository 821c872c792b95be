#include "SrcIpRewrite.h"

#include "Ipv4.h"
#include "config.h"

namespace k8slbrp {
namespace {

SrcIpRewrite checked(SrcIpRewrite setting) {
  setting.for_kernel();
  return setting;
}

}  // namespace

SrcIpRewrite SrcIpRewrite::from(const SrcIpRewriteConfig &config) { return SrcIpRewrite{}.updated(config); }

SrcIpRewrite SrcIpRewrite::updated(const SrcIpRewriteConfig &config) const {
  return checked({config.ip_range.value_or(ip_range), config.new_ip_range.value_or(new_ip_range)});
}

SrcIpRewriteConfig SrcIpRewrite::config() const {
  SrcIpRewriteConfig config;
  config.ip_range = ip_range;
  config.new_ip_range = new_ip_range;
  return config;
}

abi::src_ip_rewrite SrcIpRewrite::for_kernel() const {
  Ipv4Prefix from, to;
  if (!ip_range.empty()) from = parse_prefix("ip-range", ip_range);
  if (!new_ip_range.empty()) to = parse_prefix("new_ip_range", new_ip_range);
  if (ip_range.empty() || new_ip_range.empty()) return {};
  if (from.length != to.length)
    throw bad_value("new_ip_range: " + new_ip_range + " and ip-range " + ip_range +
                    " must have the same prefix length");
  abi::src_ip_rewrite rewrite{from.net, to.net, from.mask, 0};
  rewrite.check = abi::rewrite_check(&rewrite);
  return rewrite;
}

}  // namespace k8slbrp
