// Why it is safe to replace the memory under one's own feet: everything that runs here lives on the stack,
// which is left alone, and in code, which is not writable. Between the copy of a mapping and its replacement
// nothing writes to it but errno, whose value nobody needs.
#include "zygote/inside/settle.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>

#include "zygote/inside/memory_map.h"

namespace casemate {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint64_t kPresent = 1ULL << 63;
constexpr std::uint64_t kSwapped = 1ULL << 62;

// Pages of an anonymous mapping that were never written are zero in the memfd without being copied.
class Pagemap {
 public:
  Pagemap() : fd_(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)) {}
  ~Pagemap() {
    if (fd_ >= 0) close(fd_);
  }
  Pagemap(const Pagemap&) = delete;
  Pagemap& operator=(const Pagemap&) = delete;
  bool InUse(std::uint64_t address) {
    const std::uint64_t page = address / kPage;
    if (page < first_ || page >= first_ + count_) Read(page);
    if (count_ == 0) return true;
    return (entries_[page - first_] & (kPresent | kSwapped)) != 0;
  }

 private:
  void Read(std::uint64_t page) {
    const ssize_t got =
        pread(fd_, entries_.data(), sizeof(entries_), static_cast<off_t>(page * sizeof(entries_[0])));
    first_ = page;
    count_ = got > 0 ? static_cast<std::uint64_t>(got) / sizeof(entries_[0]) : 0;
  }
  int fd_;
  std::uint64_t first_ = 0;
  std::uint64_t count_ = 0;
  std::array<std::uint64_t, 512> entries_{};
};

bool CopyPages(int memfd, off_t offset, const Mapping& mapping, Pagemap& pages) {
  for (std::uint64_t address = mapping.start; address < mapping.end; address += kPage) {
    if (mapping.anonymous && !pages.InUse(address)) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that the kernel named
    const void* const from = reinterpret_cast<const void*>(address);
    const auto at = offset + static_cast<off_t>(address - mapping.start);
    if (pwrite(memfd, from, kPage, at) != static_cast<ssize_t>(kPage)) return false;
  }
  return true;
}

bool MoveMapping(int memfd, off_t offset, const Mapping& mapping, Pagemap& pages) {
  if (!CopyPages(memfd, offset, mapping, pages)) return false;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that the kernel named
  void* const place = reinterpret_cast<void*>(mapping.start);
  return mmap(place, mapping.end - mapping.start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, memfd,
              offset) == place;
}

// The kernel answers a read of a page of a file with the pages around it, and a fork copies an entry for each
// of them. Not so in memory that a userfaultfd(2) is registered for, which is all that it does here: nothing
// is write-protected, so that nobody has to be told of anything.
class NarrowFaults {
 public:
  void Begin() {
    fd_ = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
    uffdio_api api{};
    api.api = UFFD_API;
    if (fd_ >= 0 && ioctl(fd_, UFFDIO_API, &api) != 0) End();
  }
  void Cover(const Mapping& mapping) const {
    uffdio_register wanted{};
    wanted.range = {mapping.start, mapping.end - mapping.start};
    wanted.mode = UFFDIO_REGISTER_MODE_WP;
    if (fd_ >= 0) (void)ioctl(fd_, UFFDIO_REGISTER, &wanted);
  }
  void End() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

NarrowFaults narrow_faults;

}  // namespace

std::int64_t SettleMemory() {
  MapsText text;
  std::string_view lines = text.Read();
  if (lines.empty()) return -EIO;
  const int memfd = memfd_create("zygote", MFD_CLOEXEC);
  if (memfd < 0) return -errno;
  narrow_faults.Begin();
  Pagemap pages;
  off_t offset = 0;
  for (Mapping mapping; NextMapping(lines, mapping);) {
    if (!mapping.writable || mapping.of_kernel) continue;
    const auto size = static_cast<off_t>(mapping.end - mapping.start);
    if (ftruncate(memfd, offset + size) != 0 || !MoveMapping(memfd, offset, mapping, pages)) {
      const int err = errno;
      close(memfd);
      narrow_faults.End();
      return -err;
    }
    narrow_faults.Cover(mapping);
    offset += size;
  }
  close(memfd);
  return offset;
}

void UseSettledMemory() { narrow_faults.End(); }

}  // namespace casemate
