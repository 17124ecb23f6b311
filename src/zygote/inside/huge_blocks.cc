// Why here and not in the C library: its own setting for this (glibc.malloc.hugetlb) is read at its start,
// from files of /sys that no sandbox has. What an interpreter allocates above 512 bytes passes through its
// raw allocator, which is wrapped.
//
// A fault gives a huge page only where two aligned megabytes lie in one mapping already. The heap grows by
// some pages at a time, so it is told to grow by more (mallopt(3)); that is address space, not memory. It
// ends the C library's adapting of its two thresholds, which are set to what it comes to itself when a
// program frees a block of that size.
#include "zygote/inside/huge_blocks.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

// Of CPython since 3.5, though not of its stable ABI; weak, for an interpreter that leaves them out.
extern "C" {
struct PyMemAllocatorEx {
  void* ctx;
  void* (*malloc)(void* ctx, std::size_t size);
  void* (*calloc)(void* ctx, std::size_t count, std::size_t size);
  void* (*realloc)(void* ctx, void* block, std::size_t size);
  void (*free)(void* ctx, void* block);
};
__attribute__((weak)) void PyMem_GetAllocator(int domain, PyMemAllocatorEx* allocator);
__attribute__((weak)) void PyMem_SetAllocator(int domain, PyMemAllocatorEx* allocator);
}

namespace casemate {
namespace {

constexpr int kRawDomain = 0;
constexpr std::uintptr_t kPage = 4096;
constexpr int kHeapStep = 32 << 20;
constexpr int kOwnMapping = 4 << 20;  // from here on a block has a mapping of its own
constexpr int kTrim = 2 * kOwnMapping;

PyMemAllocatorEx usual;
// Whoever holds no interpreter lock allocates here too.
std::atomic<std::uintptr_t> heap_end;

void Advise(std::uintptr_t begin, std::uintptr_t end) {
  begin &= ~(kPage - 1);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the allocator's
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

void* Note(void* block, std::size_t size) {
  const auto now = reinterpret_cast<std::uintptr_t>(sbrk(0));
  const std::uintptr_t before = heap_end.load(std::memory_order_relaxed);
  if (now != before) {
    heap_end.store(now, std::memory_order_relaxed);
    // From where the last growth ended, so that both are one mapping.
    if (now > before) Advise(before, now);
  }
  if (size >= static_cast<std::size_t>(kOwnMapping) && block != nullptr) {
    const auto begin = reinterpret_cast<std::uintptr_t>(block);
    Advise(begin, begin + size);
  }
  return block;
}

void* Malloc(void* context, std::size_t size) { return Note(usual.malloc(context, size), size); }
void* Calloc(void* context, std::size_t count, std::size_t size) {
  // No overflow: then there is no block.
  return Note(usual.calloc(context, count, size), count * size);
}
void* Realloc(void* context, void* block, std::size_t size) {
  return Note(usual.realloc(context, block, size), size);
}

}  // namespace

void UseHugeBlocks() {
  if (PyMem_GetAllocator == nullptr || PyMem_SetAllocator == nullptr) return;
  if (mallopt(M_MMAP_THRESHOLD, kOwnMapping) != 1 || mallopt(M_TRIM_THRESHOLD, kTrim) != 1 ||
      mallopt(M_TOP_PAD, kHeapStep) != 1) {
    return;
  }
  heap_end = reinterpret_cast<std::uintptr_t>(sbrk(0));
  PyMem_GetAllocator(kRawDomain, &usual);
  PyMemAllocatorEx ours{usual.ctx, Malloc, Calloc, Realloc, usual.free};
  PyMem_SetAllocator(kRawDomain, &ours);
}

}  // namespace casemate
