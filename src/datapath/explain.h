/*
 * Why a packet goes where it goes, for those who ask. decided(NAME, values...) notes the reason; NAME is an
 * entry of the list below, whatever else has that name. A daemon that can tell reasons (pcnhost: `explain`
 * and `trace`) compiles this text once more with PCN_DECISIONS, and takes the sentences from the list:
 * {name:kind} stands for one of the values. In the program that forwards, decided() is nothing.
 */
#define DECISIONS(D)                                                                                     \
  D(NO_ROLE, "port {port:port} has no role")                                                             \
  D(MALFORMED, "its headers are cut off, or contradict each other")                                      \
  D(FRAGMENT,                                                                                            \
    "it is a later fragment: with the first one {verdict:it is translated|it passes|it is dropped}")     \
  D(FRAGMENT_EARLY, "it is a later fragment, and the first one has not come yet")                        \
  D(ICMP_ERROR, "it is an error about a packet {source:ip}:{sport:l4} -> {destination:ip}:{dport:l4}")   \
  D(ARP, "it is about {address:ip}")                                                                     \
  D(NO_SESSION, "no session has this flow")                                                              \
  D(SESSION,                                                                                             \
    "a session in the table {table:none|clients|openings|flows} has this flow: state "                   \
    "{state:opening|answered|established|client-closed|server-closed|closed|reset|reset-client|"         \
    "reset-server|ended}, last seen {idle:number} s ago")                                                \
  D(SESSION_OVER, "the session has been idle for longer than its state allows: it is over")              \
  D(SESSION_CLOSED, "the session is closed: a SYN opens a new one")                                      \
  D(SESSION_ENDED, "the session was ended by an operator: both sides get a reset")                       \
  D(BACKEND_GONE, "backend {backend:ip}:{port:l4} of the session is removed, or takes no new sessions")  \
  D(CONTESTED,                                                                                           \
    "the SYN may be forged: the session stays until its client acknowledges what a new one has sent")    \
  D(SUCCESSOR_ENDS, "the session was to take the place of another one: the next SYN opens a new one")    \
  D(NOTHING_KNOWN, "there is no service and no backend at its destination")                              \
  D(NO_SERVICE, "{address:ip}:{port:l4} is no service")                                                  \
  D(NO_BACKEND, "service {vip:ip}:{port:l4} has no backend that takes new sessions")                     \
  D(ONLY_BACKEND,                                                                                        \
    "service {vip:ip}:{vport:l4} has one backend that takes new sessions: {backend:ip}:{port:l4}")       \
  D(SLOT,                                                                                                \
    "the hash of the flow picks slot {slot:number} of {slots:number} of the service: backend "           \
    "{backend:ip}:{port:l4}")                                                                            \
  D(SOURCE_REFUSED, "{client:ip} is in none of the source ranges of service {vip:ip}:{port:l4}")         \
  D(AFFINITY,                                                                                            \
    "the service has session affinity: the client opened its last session {idle:number} s ago, to "      \
    "{backend:ip}:{port:l4}, and keeps that backend")                                                    \
  D(DIRECT,                                                                                              \
    "{backend:ip}:{port:l4} is a backend itself: nothing is translated but, perhaps, its source port")   \
  D(SOURCE_PORT, "the backend knows source port {from:l4} from another session: it becomes {to:l4}")     \
  D(NEW_SESSION, "a new session starts")                                                                 \
  D(ANSWER_OF_NOBODY,                                                                                    \
    "a backend of a service answers, and there is no session: its client would reset the "               \
    "connection")                                                                                        \
  D(PORT_NOT_SERVED,                                                                                     \
    "the address is that of services, none of them has this port: unserved-ports says reject")           \
  D(TRANSLATED, "it becomes {source:ip}:{sport:l4} -> {destination:ip}:{dport:l4}")                      \
  D(UNMATCHED, "neither a session nor a service takes care of it: it passes as it is")                   \
  D(DROPPED,                                                                                             \
    "it is dropped, and counted as {event:new-session|malformed|no-port|fragment|icmp-error|"            \
    "rate-limited|rejected|source-ports|table-changed|no-session|table-busy|fragment-held|source-range|" \
    "port-not-ready|slow-path-full|no-peer|not-promoted}")                                               \
  D(CONTROL_PLANE,                                                                                       \
    "the control plane gets it: {reason:arp-reply|flood|reject|fragment-hold|fragment-release|reset}")   \
  D(NO_PORT, "no port leads to its destination: it is dropped, and counted as no-port")

#define DECISION(name, text) DECISION_##name,
enum decision { DECISIONS(DECISION) DECISION_COUNT };
#undef DECISION

#ifdef PCN_DECISIONS
#define decided(name, ...) pcn_decided(DECISION_##name, ##__VA_ARGS__)
#else
#define decided(name, ...) ((void)0)
#endif

/* For packets that are only asked about. The daemon makes the calls that change maps do nothing, and gives
 * the program per-CPU maps of its own. We write through no pointer into other maps. */
#ifdef PCN_DRY_RUN
#define DRY_RUN true
#else
#define DRY_RUN false
#endif
