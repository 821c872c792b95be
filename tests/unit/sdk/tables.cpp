// The table classes against maps of the running kernel. Prints what is wrong; the exit status is the number
// of failures.
#include <bpf/bpf.h>
#include <polycube/services/table.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>

using namespace polycube::service;

namespace {

int failures = 0;

void expect(bool holds, const char *text, int line) {
  if (holds) return;
  std::cout << "line " << line << ": " << text << "\n";
  ++failures;
}

void expect_error(const std::string &wanted, const std::function<void()> &work, int line) {
  std::string got = "no error";
  try {
    work();
  } catch (const std::runtime_error &error) {
    got = error.what();
  }
  if (got == wanted) return;
  std::cout << "line " << line << ": wanted \"" << wanted << "\", got \"" << got << "\"\n";
  ++failures;
}

#define EXPECT(condition) expect(condition, #condition, __LINE__)
#define EXPECT_ERROR(text, work) \
  expect_error(                  \
      text, [&] { work; }, __LINE__)

// A table object on a map of its own.
template <class Table>
class OnNewMap : public Table {
 public:
  OnNewMap(bpf_map_type type, std::size_t key_size, std::size_t value_size, unsigned int entries,
           unsigned int flags = 0)
      : OnNewMap(create(type, key_size, value_size, entries, flags)) {}
  OnNewMap(const OnNewMap &) = delete;
  ~OnNewMap() { ::close(fd_); }

 private:
  explicit OnNewMap(int fd) : Table(&fd), fd_(fd) {}

  static int create(bpf_map_type type, std::size_t key_size, std::size_t value_size, unsigned int entries,
                    unsigned int flags) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
    int fd = bpf_map_create(type, "sdk_test", key_size, value_size, entries, &options);
    if (fd < 0) throw std::runtime_error("cannot create a map");
    return fd;
  }

  int fd_;
};

struct PairKey {
  uint32_t address;
  uint16_t port;
  uint16_t padding;
  bool operator<(const PairKey &other) const { return port < other.port; }
  bool operator==(const PairKey &other) const { return address == other.address && port == other.port; }
};

void array() {
  OnNewMap<ArrayTable<uint64_t>> table(BPF_MAP_TYPE_ARRAY, 4, 8, 3);
  table.set(1, 11);
  EXPECT(table.get(1) == 11);
  using Entries = std::vector<std::pair<uint32_t, uint64_t>>;
  EXPECT((table.get_all() == Entries{{0, 0}, {1, 11}, {2, 0}}));
  EXPECT_ERROR("Table get error: No such file or directory", table.get(3));
  EXPECT_ERROR("Table set error: Argument list too long", table.set(3, 1));
}

void hash() {
  OnNewMap<HashTable<PairKey, uint32_t>> table(BPF_MAP_TYPE_HASH, sizeof(PairKey), 4, 3);
  EXPECT(table.get_all().empty());
  for (uint16_t port = 1; port <= 3; ++port) table.set({7, port, 0}, port * 10u);
  EXPECT(table.get({7, 2, 0}) == 20);
  table.set({7, 2, 0}, 21);
  EXPECT(table.get({7, 2, 0}) == 21);
  auto entries = table.get_all();
  std::sort(entries.begin(), entries.end());
  EXPECT(entries.size() == 3 && entries[0].first == (PairKey{7, 1, 0}) && entries[2].second == 30);
  EXPECT_ERROR("Table set error: Argument list too long", table.set({7, 4, 0}, 40));
  table.remove({7, 1, 0});
  EXPECT_ERROR("Table get error: No such file or directory", table.get({7, 1, 0}));
  EXPECT_ERROR("Table remove error: No such file or directory", table.remove({7, 1, 0}));
  table.remove_all();
  EXPECT(table.get_all().empty());
}

void lpm_trie() {
  struct Prefix {
    uint32_t length;
    uint8_t address[4];
  };
  OnNewMap<HashTable<Prefix, uint32_t>> table(BPF_MAP_TYPE_LPM_TRIE, sizeof(Prefix), 4, 4, BPF_F_NO_PREALLOC);
  table.set({8, {10, 0, 0, 0}}, 1);
  table.set({24, {10, 1, 2, 0}}, 2);
  EXPECT(table.get({32, {10, 1, 2, 3}}) == 2);
  EXPECT(table.get({32, {10, 9, 9, 9}}) == 1);
  EXPECT(table.get_all().size() == 2);
}

// A value that is not a multiple of the kernel's 8 bytes shows whether the steps between CPUs are right.
struct Odd {
  uint8_t bytes[12];
  bool operator==(const Odd &other) const { return std::memcmp(bytes, other.bytes, sizeof(bytes)) == 0; }
};

Odd odd(std::size_t number) {
  Odd value{};
  value.bytes[0] = static_cast<uint8_t>(number + 1);
  value.bytes[11] = static_cast<uint8_t>(100 + number);
  return value;
}

std::vector<Odd> one_for_each_cpu() {
  std::vector<Odd> values;
  for (std::size_t cpu = 0; cpu < ebpf::BPFTable::get_possible_cpu_count(); ++cpu) values.push_back(odd(cpu));
  return values;
}

void percpu_array() {
  OnNewMap<PercpuArrayTable<Odd>> table(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(Odd), 2);
  auto values = one_for_each_cpu();
  table.set(1, values);
  EXPECT(table.get(1) == values);
  table.set(0, odd(5));
  EXPECT(table.get(0) == std::vector<Odd>(values.size(), odd(5)));
  EXPECT(table.get_all().size() == 2 && table.get_all()[1].second == values);
  EXPECT_ERROR("Table set error: one value for each CPU is needed", table.set(0, std::vector<Odd>{}));
}

void percpu_hash() {
  OnNewMap<PercpuHashTable<PairKey, Odd>> table(BPF_MAP_TYPE_PERCPU_HASH, sizeof(PairKey), sizeof(Odd), 2);
  auto values = one_for_each_cpu();
  table.set({1, 2, 0}, values);
  EXPECT(table.get({1, 2, 0}) == values);
  table.set({1, 3, 0}, odd(9));
  EXPECT(table.get({1, 3, 0}) == std::vector<Odd>(values.size(), odd(9)));
  EXPECT(table.get_all().size() == 2);
  table.remove({1, 2, 0});
  EXPECT_ERROR("Table get error: No such file or directory", table.get({1, 2, 0}));
  table.remove_all();
  EXPECT(table.get_all().empty());
}

void raw_and_batches() {
  OnNewMap<RawTable> table(BPF_MAP_TYPE_HASH, 4, 4, 8);
  uint32_t key = 0, next = 0, value = 0;
  EXPECT(table.first(&key) != 0);

  uint32_t keys[] = {1, 2, 3}, values[] = {10, 20, 30};
  unsigned int count = 3;
  EXPECT(table.update_batch(keys, values, &count) == 0 && count == 3);
  EXPECT(table.first(&key) == 0 && table.next(&key, &next) == 0 && key != next);
  table.get(&key, &value);
  EXPECT(value == key * 10);

  // A whole pass ends with "no such entry" and the number found.
  uint32_t cursor, got_keys[8], got_values[8];
  count = 8;
  EXPECT(table.get_batch(got_keys, got_values, &count, nullptr, &cursor) < 0 && count == 3);
  EXPECT(got_values[0] == got_keys[0] * 10);
  count = 8;
  EXPECT(table.get_and_delete_batch(got_keys, got_values, &count, nullptr, &cursor) < 0 && count == 3);
  EXPECT(table.first(&key) != 0);
}

void queue() {
  OnNewMap<QueueStackTable<uint32_t>> table(BPF_MAP_TYPE_QUEUE, 0, 4, 2);
  table.push(5);
  table.push(6);
  EXPECT(table.pop() == 5);
  EXPECT(table.pop() == 6);
  EXPECT(table.pop() == 0);  // was empty
}

void raw_stack() {
  OnNewMap<RawQueueStackTable> table(BPF_MAP_TYPE_STACK, 0, 4, 2);
  uint32_t value = 1;
  EXPECT(table.push(&value) == 0);
  value = 2;
  EXPECT(table.push(&value) == 0);
  EXPECT(table.push(&value) < 0);
  EXPECT(table.pop(&value) == 0 && value == 2);
  EXPECT(table.pop(&value) == 0 && value == 1);
  EXPECT(table.pop(&value) < 0);
}

// What a table of an unknown name is.
struct Nowhere : HashTable<uint32_t, uint32_t> {
  Nowhere(int none = -1) : HashTable(&none) {}
};

void unknown_table() {
  Nowhere table;
  EXPECT_ERROR("Table get error: Bad file descriptor", table.get(1));
  EXPECT_ERROR("Table set error: Bad file descriptor", table.set(1, 1));
  EXPECT_ERROR("Table remove error: Bad file descriptor", table.remove(1));
  EXPECT(table.get_all().empty());
}

}  // namespace

int main() {
  array();
  hash();
  lpm_trie();
  percpu_array();
  percpu_hash();
  raw_and_batches();
  queue();
  raw_stack();
  unknown_table();
  return failures;
}
