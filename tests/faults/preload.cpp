// Makes a system call bpf(2), or an allocation of C++, fail, or some of them, or a system call wait: to be
// preloaded into a host, whose own code stays as it is. The file $PCN_FAULTS, mapped by the test as well,
// says which one.
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>

namespace {

enum Kind : int32_t { kNone = 0, kMaps = 1, kNetdevs = 2, kAllocations = 3, kRemovals = 4 };

struct Plan {
  int32_t pid;  // of the process that is meant, its compiler's processes are not; 0: any, while it starts
  int32_t kind;
  int32_t countdown;  // 1: the next one fails
  int32_t error;      // 0: it waits until this is another number, and succeeds
  int32_t lasting;    // so many fail, one after the other
  int32_t fired;
  char map[BPF_OBJ_NAME_LEN];  // only its elements; empty: those of any map
};

Plan *plan() {
  static Plan *const shared = [] {
    const char *path = std::getenv("PCN_FAULTS");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return static_cast<Plan *>(nullptr);
    void *memory = mmap(nullptr, sizeof(Plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return memory == MAP_FAILED ? nullptr : static_cast<Plan *>(memory);
  }();
  return shared;
}

template <class Spared>
bool fails(Kind kind, Spared spared) {
  Plan *const wanted = plan();
  if (!wanted || __atomic_load_n(&wanted->kind, __ATOMIC_ACQUIRE) != kind) return false;
  if (wanted->pid != 0 && wanted->pid != getpid()) return false;
  const int32_t left = __atomic_sub_fetch(&wanted->countdown, 1, __ATOMIC_ACQ_REL);
  if (left > 0 || left <= -wanted->lasting) return false;
  if (spared()) {
    __atomic_store_n(&wanted->countdown, 1, __ATOMIC_RELEASE);  // the next one, then
    return false;
  }
  __atomic_store_n(&wanted->fired, 1, __ATOMIC_RELEASE);
  return true;
}

// The JSON library does not survive it when memory runs out (its values are destroyed half made), here as in
// polycubed. So its allocations do not fail: $PCN_FAULTS_SPARED tells the addresses of its functions in a
// library, in lines `part-of-the-library's-name start end`.
struct Range {
  char library[32];
  uintptr_t start, end;
};

constexpr int kMostRanges = 8192, kFrames = 24;
Range ranges[kMostRanges];

int count_ranges() {
  const char *path = std::getenv("PCN_FAULTS_SPARED");
  FILE *file = path ? std::fopen(path, "re") : nullptr;
  int count = 0;
  while (file && count < kMostRanges &&
         std::fscanf(file, "%31s %lx %lx", ranges[count].library, &ranges[count].start, &ranges[count].end) ==
             3)
    ++count;
  if (file) std::fclose(file);
  return count;
}

struct Search {
  uintptr_t address;
  bool spared;
};

int look(dl_phdr_info *info, std::size_t, void *data) {
  static const int count = count_ranges();
  auto *const search = static_cast<Search *>(data);
  const uintptr_t offset = search->address - info->dlpi_addr;
  bool inside = false;
  for (int i = 0; i < info->dlpi_phnum; ++i)
    inside |= info->dlpi_phdr[i].p_type == PT_LOAD && offset >= info->dlpi_phdr[i].p_vaddr &&
              offset < info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
  if (!inside) return 0;
  for (int i = 0; i < count; ++i)
    if (std::strstr(info->dlpi_name, ranges[i].library) && offset > ranges[i].start &&
        offset <= ranges[i].end)
      search->spared = true;
  return 1;
}

bool is_spared() {
  void *frames[kFrames];
  const int count = backtrace(frames, kFrames);
  for (int i = 0; i < count; ++i) {
    Search search{reinterpret_cast<uintptr_t>(frames[i]), false};
    dl_iterate_phdr(look, &search);
    if (search.spared) return true;
  }
  return false;
}

Kind kind_of(long command) {
  if (command == BPF_MAP_UPDATE_ELEM) return kMaps;
  if (command == BPF_MAP_DELETE_ELEM) return kRemovals;
  for (const long other : {BPF_PROG_LOAD, BPF_OBJ_PIN, BPF_LINK_CREATE, BPF_LINK_UPDATE})
    if (command == other) return kNetdevs;
  return kNone;
}

using SystemCall = long(long, ...);

bpf_map_info map_of(SystemCall *next, long attributes) {
  bpf_map_info map{};
  bpf_attr attr{};
  attr.info.bpf_fd = reinterpret_cast<const bpf_attr *>(attributes)->map_fd;
  attr.info.info_len = sizeof(map);
  attr.info.info = reinterpret_cast<uintptr_t>(&map);
  if (next(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) != 0) map = {};
  return map;
}

bool is_meant(SystemCall *next, long attributes) {
  const Plan *const wanted = plan();
  return !wanted || !wanted->map[0] ||
         std::strncmp(map_of(next, attributes).name, wanted->map, BPF_OBJ_NAME_LEN) == 0;
}

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
  static auto *const next = reinterpret_cast<SystemCall *>(dlsym(RTLD_NEXT, "syscall"));
  va_list list;
  va_start(list, number);
  long a[6];
  for (long &one : a) one = va_arg(list, long);
  va_end(list);
  const Kind kind = number == SYS_bpf ? kind_of(a[0]) : kNone;
  // The kernel has room for an element of an array, so it never refuses to write one.
  const auto is_spared = [&] { return kind == kMaps && map_of(next, a[1]).type == BPF_MAP_TYPE_ARRAY; };
  if (kind != kNone && is_meant(next, a[1]) && fails(kind, is_spared)) {
    errno = plan()->error;
    if (errno) return -1;
    while (!__atomic_load_n(&plan()->error, __ATOMIC_ACQUIRE)) usleep(1000);
  }
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void *operator new(std::size_t size) {
  if (fails(kAllocations, is_spared)) throw std::bad_alloc();
  if (void *memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}

void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
