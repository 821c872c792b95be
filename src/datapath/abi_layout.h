/*
 * Where each member of the structs of abi.h stands: maps outlive the program, so a member that moves is read
 * as another one by the next program that takes them over. With the sizes, this also says that there is no
 * padding but the one that has a name.
 */
#ifdef __cplusplus
#define ABI_ASSERT(condition) static_assert(condition, #condition)
#else
#define ABI_ASSERT(condition) _Static_assert(condition, #condition)
#endif
#define ABI_OFFSET(type, member) __builtin_offsetof(struct type, member)
#define ABI_SIZE(type, bytes) ABI_ASSERT(sizeof(struct type) == (bytes))
#define ABI_AT(type, member, offset) ABI_ASSERT(ABI_OFFSET(type, member) == (offset))

ABI_SIZE(traffic, 40);
ABI_AT(traffic, packets_in, 0);
ABI_AT(traffic, bytes_in, 8);
ABI_AT(traffic, packets_out, 16);
ABI_AT(traffic, bytes_out, 24);
ABI_AT(traffic, new_sessions, 32);

ABI_SIZE(total, 16);
ABI_AT(total, packets, 0);
ABI_AT(total, bytes, 8);

ABI_SIZE(service_key, 8);
ABI_AT(service_key, vip, 0);
ABI_AT(service_key, vport, 4);
ABI_AT(service_key, proto, 6);
ABI_AT(service_key, pad, 7);

ABI_SIZE(port, 8);
ABI_AT(port, side, 0);
ABI_AT(port, multi, 1);
ABI_AT(port, out, 2);
ABI_AT(port, generation, 4);

ABI_SIZE(src_ip_rewrite, 16);
ABI_AT(src_ip_rewrite, net, 0);
ABI_AT(src_ip_rewrite, new_net, 4);
ABI_AT(src_ip_rewrite, mask, 8);
ABI_AT(src_ip_rewrite, check, 12);

ABI_SIZE(service_head, 24);
ABI_AT(service_head, version, 0);
ABI_AT(service_head, slots, 4);
ABI_AT(service_head, first_chunk, 8);
ABI_AT(service_head, buckets, 12);
ABI_AT(service_head, index_shift, 14);
ABI_AT(service_head, sources, 15);
ABI_AT(service_head, affinity, 16);
ABI_AT(service_head, check, 20);

ABI_SIZE(backend, 16);
ABI_AT(backend, ip, 0);
ABI_AT(backend, port, 4);
ABI_AT(backend, flags, 6);
ABI_AT(backend, check, 8);

ABI_SIZE(service, 760);
ABI_AT(service, head, 0);
ABI_AT(service, backends, 24);
ABI_AT(service, words, 248);

ABI_SIZE(source_range, 16);
ABI_AT(source_range, prefix_length, 0);
ABI_AT(source_range, service, 4);
ABI_AT(source_range, ip, 12);

ABI_SIZE(affinity_key, 12);
ABI_AT(affinity_key, service, 0);
ABI_AT(affinity_key, client, 8);

ABI_SIZE(affinity, 16);
ABI_AT(affinity, ip, 0);
ABI_AT(affinity, port, 4);
ABI_AT(affinity, pad, 6);
ABI_AT(affinity, last_opened, 8);
ABI_AT(affinity, check, 12);

ABI_SIZE(chunk, CHUNK_BYTES);
ABI_AT(chunk, words, 0);
ABI_AT(chunk, backends, 0);

ABI_SIZE(flow, 12);
ABI_AT(flow, client, 0);
ABI_AT(flow, server, 4);
ABI_AT(flow, client_port, 8);
ABI_AT(flow, server_port, 10);

ABI_SIZE(client_key, 8);
ABI_AT(client_key, ip, 0);
ABI_AT(client_key, port, 4);
ABI_AT(client_key, proto, 6);
ABI_AT(client_key, pad, 7);

ABI_SIZE(flow_key, 16);
ABI_AT(flow_key, saddr, 0);
ABI_AT(flow_key, daddr, 4);
ABI_AT(flow_key, sport, 8);
ABI_AT(flow_key, dport, 10);
ABI_AT(flow_key, proto, 12);
ABI_AT(flow_key, side, 13);
ABI_AT(flow_key, pad, 14);

ABI_SIZE(session, 48);
ABI_AT(session, front, 0);
ABI_AT(session, back, 12);
ABI_AT(session, check, 24);
ABI_AT(session, last_seen, 28);
ABI_AT(session, port_generation, 32);
ABI_AT(session, removals, 36);
ABI_AT(session, server_sequence, 36);
ABI_AT(session, port, 40);
ABI_AT(session, state, 42);
ABI_AT(session, flags, 43);
ABI_AT(session, counter, 44);
ABI_AT(session, place_number, 46);

ABI_SIZE(unconfirmed, 20);
ABI_AT(unconfirmed, answer, 0);
ABI_AT(unconfirmed, number, 16);

ABI_SIZE(fragment_key, 12);
ABI_AT(fragment_key, saddr, 0);
ABI_AT(fragment_key, daddr, 4);
ABI_AT(fragment_key, id, 8);
ABI_AT(fragment_key, proto, 10);
ABI_AT(fragment_key, side, 11);

ABI_SIZE(fragment, 28);
ABI_AT(fragment, saddr, 0);
ABI_AT(fragment, daddr, 4);
ABI_AT(fragment, port_generation, 8);
ABI_AT(fragment, port, 12);
ABI_AT(fragment, verdict, 14);
ABI_AT(fragment, from_client, 15);
ABI_AT(fragment, counter, 16);
ABI_AT(fragment, pad, 18);
ABI_AT(fragment, check, 20);
ABI_AT(fragment, last_seen, 24);

ABI_SIZE(opening_set, 216);
ABI_AT(opening_set, tags, 0);
ABI_AT(opening_set, protocols, 8);
ABI_AT(opening_set, writers, 12);
ABI_AT(opening_set, next, 16);
ABI_AT(opening_set, pad, 20);
ABI_AT(opening_set, sessions, 24);

ABI_SIZE(settings, 2056);
ABI_AT(settings, timeouts, 0);
ABI_AT(settings, longest_timeout, 2048);
ABI_AT(settings, reject_unserved, 2052);

ABI_SIZE(clock, 16);
ABI_AT(clock, jiffies, 0);
ABI_AT(clock, tick, 8);
ABI_AT(clock, pad, 12);

ABI_SIZE(limit, 24);
ABI_AT(limit, tick, 0);
ABI_AT(limit, count, 4);
ABI_AT(limit, given, 8);
ABI_AT(limit, omitted, 16);

ABI_SIZE(evictions, 16);
ABI_AT(evictions, removed, 0);
ABI_AT(evictions, evicted, 8);

ABI_SIZE(counter_owner, 12);
ABI_AT(counter_owner, service, 0);
ABI_AT(counter_owner, backend, 8);

ABI_SIZE(removed_traffic, 56);
ABI_AT(removed_traffic, traffic, 0);
ABI_AT(removed_traffic, from, 40);
ABI_AT(removed_traffic, number, 48);
ABI_AT(removed_traffic, pad, 52);

ABI_ASSERT(OPENING_WAYS == 4); /* tags are compared as one word */
ABI_ASSERT(SESSION_STATES <= SETTINGS_STATES);
ABI_ASSERT(TOTALS == 3 * FATE_COUNT);
ABI_ASSERT(MAX_COUNTERS - 1 <= 0xffff >> BACKEND_COUNTER_SHIFT);
