#include "zygote/inside/huge_arenas.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

// Of CPython since 3.4, though not of its stable ABI; weak, for an interpreter that leaves them out.
extern "C" {
struct PyObjectArenaAllocator {
  void* ctx;
  void* (*alloc)(void* ctx, std::size_t size);
  void (*free)(void* ctx, void* ptr, std::size_t size);
};
__attribute__((weak)) void PyObject_GetArenaAllocator(PyObjectArenaAllocator* allocator);
__attribute__((weak)) void PyObject_SetArenaAllocator(PyObjectArenaAllocator* allocator);
}

namespace casemate {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kRange = std::size_t{64} << 20;
constexpr std::size_t kFreeMax = 1024;

PyObjectArenaAllocator usual;  // made what is there already
char* next_free = nullptr;
char* range_end = nullptr;
// Arenas that were given back, without their memory. What finds no place here is unmapped.
std::array<void*, kFreeMax> given_back;
std::size_t given_back_count = 0;
std::size_t arena_size = 0;
constexpr std::size_t kRangesMax = 4096;  // 256 GiB
std::array<char*, kRangesMax> ranges;     // ascending
std::size_t range_count = 0;

bool AddRange() {
  if (range_count == kRangesMax) return false;
  void* const mapped = mmap(nullptr, kRange + kHugePage, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return false;
  auto* const begin = static_cast<char*>(mapped);
  const std::size_t skip = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (skip != 0) munmap(begin, skip);
  munmap(begin + skip + kRange, kHugePage - skip);
  next_free = begin + skip;
  range_end = next_free + kRange;
  madvise(next_free, kRange, MADV_HUGEPAGE);
  auto* const place = std::upper_bound(ranges.begin(), ranges.begin() + range_count, next_free);
  std::move_backward(place, ranges.begin() + range_count, ranges.begin() + range_count + 1);
  *place = next_free;
  ++range_count;
  return true;
}

bool IsOurs(const void* arena) {
  auto* const address = static_cast<const char*>(arena);
  const auto* const after = std::upper_bound(ranges.begin(), ranges.begin() + range_count, address);
  return after != ranges.begin() && address < *(after - 1) + kRange;
}

void* Allocate(void* /*context*/, std::size_t size) {
  if (arena_size == 0) arena_size = size;
  if (size != arena_size || size > kRange) return usual.alloc(usual.ctx, size);
  if (given_back_count > 0) return given_back[--given_back_count];
  if (static_cast<std::size_t>(range_end - next_free) < size && !AddRange())
    return usual.alloc(usual.ctx, size);
  char* const arena = next_free;
  next_free += size;
  return arena;
}

void Free(void* /*context*/, void* arena, std::size_t size) {
  if (!IsOurs(arena)) return usual.free(usual.ctx, arena, size);
  if (given_back_count == kFreeMax) {
    munmap(arena, size);
    return;
  }
  madvise(arena, size, MADV_DONTNEED);
  given_back[given_back_count++] = arena;
}

}  // namespace

void UseHugeArenas() {
  if (PyObject_GetArenaAllocator == nullptr || PyObject_SetArenaAllocator == nullptr) return;
  PyObject_GetArenaAllocator(&usual);
  PyObjectArenaAllocator ours{nullptr, Allocate, Free};
  PyObject_SetArenaAllocator(&ours);
}

void AllowHugePages(bool allow) { prctl(PR_SET_THP_DISABLE, allow ? 0 : 1, 0, 0, 0); }

}  // namespace casemate
