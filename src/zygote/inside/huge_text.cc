// Why the code can be exchanged while it runs: mremap(2) replaces what was mapped there in one step, and the
// bytes are the same.
#define Py_LIMITED_API 0x03090000
#include "zygote/inside/huge_text.h"

#include <Python.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "zygote/inside/memory_map.h"

namespace casemate {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr int kCollapse = 25;  // MADV_COLLAPSE, Linux 6.1: a huge page now, or an error

// The constant mappings around `address` that have no gap between them.
Mapping RunAround(std::string_view lines, std::uint64_t address) {
  Mapping run;
  for (Mapping mapping; NextMapping(lines, mapping);) {
    if (!mapping.constant || mapping.of_kernel) continue;
    if (mapping.start != run.end) {
      if (run.end > address) break;
      run = mapping;
    }
    run.end = mapping.end;
  }
  return run;
}

// A huge page with a copy of what is at `from`, or null.
void* CopyToHugePage(const void* from) {
  void* const mapped =
      mmap(nullptr, 2 * kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<char*>(mapped);
  const std::size_t skip = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (skip != 0) munmap(begin, skip);
  char* const page = begin + skip;
  munmap(page + kHugePage, kHugePage - skip);
  madvise(page, kHugePage, MADV_HUGEPAGE);
  std::memcpy(page, from, kHugePage);
  if (madvise(page, kHugePage, kCollapse) == 0 && mprotect(page, kHugePage, PROT_READ | PROT_EXEC) == 0)
    return page;
  munmap(page, kHugePage);
  return nullptr;
}

}  // namespace

void UseHugeText() {
  MapsText text;
  // 0 when it was not found: then there is nothing to move.
  const Mapping run = RunAround(text.Read(), reinterpret_cast<std::uintptr_t>(&PyEval_EvalCode));
  for (std::uint64_t at = (run.start + kHugePage - 1) / kHugePage * kHugePage;
       at != 0 && at + kHugePage <= run.end; at += kHugePage) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that the kernel named
    void* const place = reinterpret_cast<void*>(at);
    void* const page = CopyToHugePage(place);
    if (page == nullptr) return;
    if (mremap(page, kHugePage, kHugePage, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place) continue;
    munmap(page, kHugePage);
    return;
  }
}

}  // namespace casemate
