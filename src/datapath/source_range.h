/* From where a service's new sessions may come. Only services with source ranges look here. */

static __always_inline bool serves_source(const struct service_key *service, __u8 set, __be32 client) {
  struct source_range source = {.prefix_length = SOURCE_RANGE_BITS, .service = *service, .ip = client};
  source.service.pad = set;
  return source_ranges.lookup(&source) != 0;
}
