// The cubes of a service by name.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "errors.h"

namespace codegen {

// No request waits for another cube, except for one of its own name that is being made. Deleting a cube turns
// new requests away and waits for those that use it, so that none can keep it alive for ever.
template <typename Api>
class Cubes {
  struct Slot {
    std::shared_ptr<Api> cube;  // null while it is being made
    int users = 0;
    bool leaving = false;
  };

 public:
  // A cube that stays alive as long as this object.
  class Lease {
   public:
    Lease(Cubes &cubes, std::shared_ptr<Slot> slot) : cubes_(&cubes), slot_(std::move(slot)) {}
    Lease(Lease &&other) noexcept = default;
    Lease &operator=(Lease &&) = delete;
    ~Lease() {
      if (slot_) cubes_->give_back(*slot_);
    }
    Api &operator*() const { return *slot_->cube; }
    Api *operator->() const { return slot_->cube.get(); }

   private:
    Cubes *cubes_;
    std::shared_ptr<Slot> slot_;
  };

  // Empty when there is no such cube.
  std::optional<Lease> find(const std::string &name) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto slot = ready(lock, name);
    if (!slot) return {};
    ++slot->users;
    return Lease(*this, slot);
  }

  Lease get(const std::string &name) {
    if (auto lease = find(name)) return std::move(*lease);
    throw does_not_exist(name);
  }

  // `make` returns the new cube. Until it has, requests for the name wait; if it throws, there is no cube.
  template <typename Make>
  void create(const std::string &name, Make make) {
    const auto slot = std::make_shared<Slot>();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!slots_.emplace(name, slot).second) {
        throw already_exists("There is already a cube with name " + name);
      }
    }
    try {
      auto cube = make();
      const std::lock_guard<std::mutex> lock(mutex_);
      slot->cube = std::move(cube);
    } catch (...) {
      forget(name, *slot);
      throw;
    }
    changed_.notify_all();
  }

  void remove(const std::string &name) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto slot = ready(lock, name);
    if (!slot) throw does_not_exist(name);
    slot->leaving = true;
    changed_.wait(lock, [&] { return slot->users == 0; });
    auto cube = std::move(slot->cube);
    lock.unlock();
    cube.reset();
    forget(name, *slot);
  }

  std::vector<std::string> names() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::string> all;
    for (const auto &[name, slot] : slots_) all.push_back(name);
    return all;
  }

 private:
  static ServiceError does_not_exist(const std::string &name) {
    return missing("Cube " + name + " does not exist");
  }

  // The slot of a cube that can be used, once it is no longer being made; null when there is none.
  std::shared_ptr<Slot> ready(std::unique_lock<std::mutex> &lock, const std::string &name) {
    const auto found = slots_.find(name);
    if (found == slots_.end()) return nullptr;
    const auto slot = found->second;
    changed_.wait(lock, [&] { return slot->cube || slot->leaving; });
    return slot->leaving ? nullptr : slot;
  }

  void give_back(Slot &slot) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--slot.users == 0 && slot.leaving) changed_.notify_all();
  }

  void forget(const std::string &name, Slot &slot) {
    const std::lock_guard<std::mutex> lock(mutex_);
    slot.leaving = true;
    slots_.erase(name);
    changed_.notify_all();
  }

  std::mutex mutex_;  // never held while a cube works
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Slot>> slots_;
};

template <typename Api>
Cubes<Api> &cubes() {
  // Never destroyed: at exit the host, which cubes talk to, may be gone already.
  static Cubes<Api> &all = *new Cubes<Api>;
  return all;
}

}  // namespace codegen
