// Load for measurements: a server, and clients that print what they achieved as one JSON object.
//
//   load server PORT                                   TCP: answers each request; UDP: counts datagrams
//   load latency ADDRESS PORT SECONDS                  one connection, one request at a time
//   load connect ADDRESS COUNT PORT SECONDS PARALLEL   one connection per request, to COUNT addresses in turn
//   load flood ADDRESS PORT SECONDS                    UDP datagrams as fast as they go
//   load sessions ADDRESS PORT COUNT SEED              COUNT datagrams, each from a source of its own
//
// A request is one message of MESSAGE bytes, the answer another. The first byte of a request says whether the
// server shall close the connection after the answer, as HTTP servers do without keep-alive. To a datagram
// that begins with '?' the server answers with how many it has received.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
  MESSAGE = 64,
  EVENTS = 256,
  BATCH = 64,
  MAX_SAMPLES = 1 << 22,
  MAX_PARALLEL = 1024,
  TIMEOUT_MS = 1000
};

static void check(int result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static struct sockaddr_in address_of(uint32_t host_order_ip, int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host_order_ip)};
}

static uint32_t parse(const char *text) {
  struct in_addr address;
  if (!inet_aton(text, &address)) {
    fprintf(stderr, "%s is no address\n", text);
    exit(1);
  }
  return ntohl(address.s_addr);
}

static int enabled = 1;

static int open_socket(int type) {
  int fd = socket(AF_INET, type, 0);
  check(fd, "socket");
  if ((type & SOCK_STREAM) == SOCK_STREAM)
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &enabled, sizeof(enabled));
  return fd;
}

static void watch(int epoll, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

// --- server

static int bound(int type, int port) {
  int fd = open_socket(type | SOCK_NONBLOCK);
  struct sockaddr_in any = address_of(INADDR_ANY, port);
  int buffer = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &enabled, sizeof(enabled));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
  check(bind(fd, (struct sockaddr *)&any, sizeof(any)), "bind");
  return fd;
}

static void accept_all(int epoll, int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(epoll, fd, EPOLLIN);
}

static void answer(int fd) {
  char message[MESSAGE];
  ssize_t length = recv(fd, message, sizeof(message), 0);
  if (length < 0 && errno == EAGAIN) return;
  if (length > 0 && send(fd, message, sizeof(message), MSG_NOSIGNAL) > 0 && message[0] != 'c') return;
  close(fd);
}

static void count_datagrams(int fd, uint64_t *received) {
  static char messages[BATCH][MESSAGE];
  struct mmsghdr headers[BATCH];
  struct iovec parts[BATCH];
  struct sockaddr_in sources[BATCH];
  for (int i = 0; i < BATCH; ++i) {
    parts[i] = (struct iovec){messages[i], MESSAGE};
    headers[i].msg_hdr = (struct msghdr){
        .msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &sources[i], .msg_namelen = sizeof(sources[i])};
  }
  int count = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < count; ++i) {
    if (messages[i][0] != '?') {
      ++*received;
      continue;
    }
    char text[MESSAGE];
    int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)*received);
    sendto(fd, text, length, 0, (struct sockaddr *)&sources[i], sizeof(sources[i]));
  }
}

static void serve(int port) {
  int listener = bound(SOCK_STREAM, port), datagrams = bound(SOCK_DGRAM, port), epoll = epoll_create1(0);
  check(listen(listener, 4096), "listen");
  watch(epoll, listener, EPOLLIN);
  watch(epoll, datagrams, EPOLLIN);
  puts("ready");
  fflush(stdout);
  uint64_t received = 0;
  while (1) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < count; ++i) {
      int fd = events[i].data.fd;
      if (fd == listener)
        accept_all(epoll, listener);
      else if (fd == datagrams)
        count_datagrams(datagrams, &received);
      else
        answer(fd);
    }
  }
}

// --- clients

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void latency(uint32_t ip, int port, double seconds) {
  int fd = open_socket(SOCK_STREAM);
  struct sockaddr_in to = address_of(ip, port);
  check(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
  float *samples = malloc(MAX_SAMPLES * sizeof(float));
  char message[MESSAGE] = "k";
  int count = 0;
  double start = now(), before = start;
  while (before - start < seconds && count < MAX_SAMPLES) {
    check(send(fd, message, MESSAGE, 0), "send");
    if (recv(fd, message, MESSAGE, MSG_WAITALL) != MESSAGE) check(-1, "recv");
    double after = now();
    samples[count++] = (after - before) * 1e6;
    before = after;
  }
  qsort(samples, count, sizeof(float), by_value);
  printf("{\"requests\": %d, \"p50_us\": %.2f, \"p99_us\": %.2f}\n", count, samples[count / 2],
         samples[(int)(count * 0.99)]);
}

struct connections {
  int epoll;
  uint32_t first_ip, count, next;
  int port;
  uint64_t done, failed;
  uint8_t asked[MAX_PARALLEL];  // by file descriptor: the request was sent
};

static void start_connection(struct connections *c) {
  int fd = open_socket(SOCK_STREAM | SOCK_NONBLOCK);
  struct sockaddr_in to = address_of(c->first_ip + c->next++ % c->count, c->port);
  if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) check(-1, "connect");
  c->asked[fd % MAX_PARALLEL] = 0;
  watch(c->epoll, fd, EPOLLIN | EPOLLOUT | EPOLLET);
}

// Sends the request once connected, then waits for the answer and for the end.
static void go_on(struct connections *c, const struct epoll_event *event) {
  char message[MESSAGE] = "c";
  int fd = event->data.fd;
  if (!c->asked[fd % MAX_PARALLEL] && !(event->events & EPOLLERR)) {
    c->asked[fd % MAX_PARALLEL] = 1;
    send(fd, message, MESSAGE, MSG_NOSIGNAL);
    return;
  }
  ssize_t length;
  while ((length = recv(fd, message, MESSAGE, 0)) > 0) ++c->done;
  if (length < 0 && errno == EAGAIN) return;
  if (length < 0) ++c->failed;
  close(fd);
  start_connection(c);
}

static void connect_repeatedly(uint32_t ip, uint32_t count, int port, double seconds, int parallel) {
  struct connections c = {.epoll = epoll_create1(0), .first_ip = ip, .count = count, .port = port};
  for (int i = 0; i < parallel && i < MAX_PARALLEL / 2; ++i) start_connection(&c);
  double start = now();
  while (now() - start < seconds) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(c.epoll, events, EVENTS, 10);
    for (int i = 0; i < ready; ++i) go_on(&c, &events[i]);
  }
  double elapsed = now() - start;
  printf("{\"connections\": %llu, \"failed\": %llu, \"per_second\": %.0f}\n", (unsigned long long)c.done,
         (unsigned long long)c.failed, c.done / elapsed);
}

static uint64_t ask_received(uint32_t ip, int port) {
  int fd = open_socket(SOCK_DGRAM);
  struct sockaddr_in to = address_of(ip, port);
  struct timeval timeout = {.tv_sec = 0, .tv_usec = TIMEOUT_MS * 1000 - 1};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  check(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
  for (int attempt = 0; attempt < 5; ++attempt) {
    char text[MESSAGE + 1] = "?";
    check(send(fd, text, 1, 0), "send");
    ssize_t length = recv(fd, text, MESSAGE, 0);
    if (length <= 0) continue;
    text[length] = 0;
    close(fd);
    return strtoull(text, NULL, 10);
  }
  fputs("the server does not say how many datagrams it has received\n", stderr);
  exit(1);
}

static void flood(uint32_t ip, int port, double seconds) {
  static char message[MESSAGE] = "d";
  struct mmsghdr headers[BATCH] = {0};
  struct iovec part = {message, MESSAGE};
  int fd = open_socket(SOCK_DGRAM);
  struct sockaddr_in to = address_of(ip, port);
  check(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
  for (int i = 0; i < BATCH; ++i) headers[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
  uint64_t before = ask_received(ip, port), sent = 0;
  double start = now();
  while (now() - start < seconds) {
    int count = sendmmsg(fd, headers, BATCH, 0);
    if (count > 0) sent += count;
  }
  double elapsed = now() - start;
  usleep(100000);  // what is still in the server's buffer
  uint64_t received = ask_received(ip, port) - before;
  printf("{\"sent\": %llu, \"received\": %llu, \"per_second\": %.0f}\n", (unsigned long long)sent,
         (unsigned long long)received, received / elapsed);
}

// An IPv4 and UDP header, and MESSAGE bytes. The kernel fills in length, identification and checksum of IPv4.
struct datagram {
  struct iphdr ip;
  struct udphdr udp;
  char message[MESSAGE];
};

// Source number `source`: one of 16,384 ports of one of many addresses.
static void set_source(struct datagram *datagram, uint32_t source) {
  datagram->ip.saddr = htonl(0x0a400000 + (source >> 14));  // 10.64.0.0
  datagram->udp.source = htons(1024 + (source & 0x3fff));
}

static void open_sessions(uint32_t ip, int port, uint32_t number, uint32_t seed) {
  static struct datagram datagrams[BATCH];
  struct mmsghdr headers[BATCH] = {0};
  struct iovec parts[BATCH];
  struct sockaddr_in to = address_of(ip, port);
  int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  check(fd, "socket");
  for (int i = 0; i < BATCH; ++i) {
    datagrams[i].ip = (struct iphdr){
        .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .daddr = to.sin_addr.s_addr};
    datagrams[i].udp = (struct udphdr){.dest = htons(port), .len = htons(sizeof(struct udphdr) + MESSAGE)};
    datagrams[i].message[0] = 'd';
    parts[i] = (struct iovec){&datagrams[i], sizeof(struct datagram)};
    headers[i].msg_hdr =
        (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &to, .msg_namelen = sizeof(to)};
  }
  uint64_t before = ask_received(ip, port);
  double start = now();
  for (uint32_t sent = 0; sent < number; sent += BATCH) {
    for (int i = 0; i < BATCH; ++i) set_source(&datagrams[i], seed * number + sent + i);
    check(sendmmsg(fd, headers, BATCH, 0), "sendmmsg");
  }
  double elapsed = now() - start;
  usleep(100000);
  uint64_t received = ask_received(ip, port) - before;
  printf("{\"received\": %llu, \"per_second\": %.0f}\n", (unsigned long long)received, received / elapsed);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "server")) {
    serve(atoi(argv[2]));
  } else if (argc == 5 && !strcmp(argv[1], "latency")) {
    latency(parse(argv[2]), atoi(argv[3]), atof(argv[4]));
  } else if (argc == 7 && !strcmp(argv[1], "connect")) {
    connect_repeatedly(parse(argv[2]), atoi(argv[3]), atoi(argv[4]), atof(argv[5]), atoi(argv[6]));
  } else if (argc == 5 && !strcmp(argv[1], "flood")) {
    flood(parse(argv[2]), atoi(argv[3]), atof(argv[4]));
  } else if (argc == 6 && !strcmp(argv[1], "sessions")) {
    open_sessions(parse(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
  } else {
    fputs("usage: see the head of load.c\n", stderr);
    return 2;
  }
  return 0;
}
