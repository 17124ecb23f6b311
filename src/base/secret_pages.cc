#include "base/secret_pages.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <new>

#include "base/errno.h"

namespace casemate {
namespace {

bool Lock(void* place, std::size_t bytes) {
  // The raw call: sanitizers replace mlock(2) by nothing.
  const auto lock = [place, bytes] { return syscall(SYS_mlock, place, bytes) == 0; };
  if (lock()) return true;
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return false;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && lock();
}

Expected<char*> MapPages(std::size_t bytes) {
  void* const place = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) {
    return FailErrno(ErrorCode::kUnavailable, "there is no memory for a secret; end other programs", "mmap");
  }
  if (madvise(place, bytes, MADV_DONTDUMP) != 0) {
    auto failed =
        FailErrno(ErrorCode::kUnavailable, "cannot keep a secret out of core dumps; run ulimit -c 0",
                  "madvise MADV_DONTDUMP");
    munmap(place, bytes);
    return failed;
  }
  return static_cast<char*>(place);
}

std::atomic<std::size_t> locked_by_arenas = 0;

// Root has no limit.
bool LockIfRoom(void* place, std::size_t bytes) {
  rlimit limit{};
  const bool bounded =
      geteuid() != 0 && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max != RLIM_INFINITY;
  if (bounded && locked_by_arenas + bytes > limit.rlim_max / 2) return false;
  if (!Lock(place, bytes)) return false;
  locked_by_arenas += bytes;
  return true;
}

// Locked pages that are zero. Mapping and locking one costs more than all else of a local secret. Few, since
// a user may lock 64 KiB only on some hosts.
class SparePages {
 public:
  char* Take() {
    const std::lock_guard lock(mutex_);
    Inherit();
    return count_ == 0 ? nullptr : pages_[--count_];
  }
  bool Keep(char* page) {
    const std::lock_guard lock(mutex_);
    Inherit();
    if (count_ == pages_.size()) return false;
    pages_[count_++] = page;
    return true;
  }
  // For those who need more than one.
  bool Drop() {
    const std::lock_guard lock(mutex_);
    const bool any = count_ > 0;
    while (count_ > 0) munmap(pages_[--count_], kSecretPage);
    return any;
  }

 private:
  // Locks are not inherited by a child (mlock(2)), so what a parent kept is nothing to it.
  void Inherit() {
    const pid_t now = getpid();
    if (owner_ != now) count_ = 0;
    owner_ = now;
  }

  std::mutex mutex_;
  pid_t owner_ = 0;
  std::array<char*, 8> pages_{};
  std::size_t count_ = 0;
};
constinit SparePages spare_pages;

}  // namespace

Expected<char*> TakeSecretPages(std::size_t bytes) {
  if (bytes == kSecretPage) {
    if (char* const page = spare_pages.Take()) return page;
  }
  auto pages = MapPages(bytes);
  if (!pages || Lock(*pages, bytes) || (spare_pages.Drop() && Lock(*pages, bytes))) return pages;
  auto failed =
      FailErrno(ErrorCode::kUnavailable,
                "this user may not lock enough memory to keep secrets from being swapped; raise ulimit -l "
                "(LimitMEMLOCK= of a service)",
                "mlock");
  munmap(*pages, bytes);
  return failed;
}

void GiveBackSecretPages(char* pages, std::size_t bytes) noexcept {
  explicit_bzero(pages, bytes);
  if (bytes == kSecretPage && spare_pages.Keep(pages)) return;
  munmap(pages, bytes);
}

SecretArena::~SecretArena() {
  for (const Block& block : blocks_) {
    explicit_bzero(block.pages, block.bytes);
    munmap(block.pages, block.bytes);
    if (block.locked) locked_by_arenas -= block.bytes;
  }
}

void* SecretArena::do_allocate(std::size_t bytes, std::size_t alignment) {
  used_ = (used_ + alignment - 1) / alignment * alignment;
  if (blocks_.empty() || bytes > blocks_.back().bytes - std::min(used_, blocks_.back().bytes)) {
    const std::size_t wanted = (std::max(bytes, next_bytes_) + kSecretPage - 1) / kSecretPage * kSecretPage;
    auto pages = MapPages(wanted);
    if (!pages) throw std::bad_alloc();
    blocks_.push_back({*pages, wanted, LockIfRoom(*pages, wanted)});
    next_bytes_ = wanted * 2;
    used_ = 0;
  }
  char* const place = blocks_.back().pages + used_;
  used_ += bytes;
  return place;
}

}  // namespace casemate
