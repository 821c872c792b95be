// The lock of a cube's configuration.
#pragma once

#include <mutex>

namespace k8slbrp {

// A mutex for short reading and for longer changes. Whoever reads entry by entry takes it again and again,
// faster than a waiting thread wakes up; so those who read stand back (ReadLock) while somebody waits to make
// a change.
class ConfigMutex {
 public:
  void lock() {
    const std::lock_guard next(next_);
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }

 private:
  friend class ReadLock;
  std::mutex next_;  // held by the change that waits for `mutex_`
  std::mutex mutex_;
};

class ReadLock {
 public:
  explicit ReadLock(ConfigMutex &mutex) : mutex_(mutex) {
    { const std::lock_guard after_changes(mutex_.next_); }
    mutex_.mutex_.lock();
  }
  ~ReadLock() { mutex_.mutex_.unlock(); }
  ReadLock(const ReadLock &) = delete;
  ReadLock &operator=(const ReadLock &) = delete;

 private:
  ConfigMutex &mutex_;
};

}  // namespace k8slbrp
