#pragma once

#include <cstddef>
#include <memory_resource>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// Memory for secrets: anonymous pages that are locked (mlock(2), so never swapped), left out of core dumps
// (madvise(2), MADV_DONTDUMP), and zeroed before they are given back. Thread-safe.
inline constexpr std::size_t kSecretPage = 4096;

// `bytes`, a multiple of kSecretPage, all zero. kUnavailable when the host does not let so much be locked.
Expected<char*> TakeSecretPages(std::size_t bytes);
// Zeroes them. Some single pages are kept for whoever asks next.
void GiveBackSecretPages(char* pages, std::size_t bytes) noexcept;

// The same for containers of what is made of secrets, but locked only as far as half of what this user may
// lock: the other half is for the secrets themselves. It grows, and all of it goes with this object. One
// thread; throws std::bad_alloc when the host has no memory.
class SecretArena : public std::pmr::memory_resource {
 public:
  // `first_bytes`: what it begins with, so that it need not grow.
  explicit SecretArena(std::size_t first_bytes = 16 * kSecretPage) : next_bytes_(first_bytes) {}
  ~SecretArena() override;
  SecretArena(const SecretArena&) = delete;
  SecretArena& operator=(const SecretArena&) = delete;

 private:
  struct Block {
    char* pages;
    std::size_t bytes;
    bool locked;
  };
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  // Nothing: what is in it is zeroed at the end.
  void do_deallocate(void* /*place*/, std::size_t /*bytes*/, std::size_t /*alignment*/) override {}
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  std::vector<Block> blocks_;
  std::size_t used_ = 0;  // of the last block
  std::size_t next_bytes_;
};

}  // namespace casemate
