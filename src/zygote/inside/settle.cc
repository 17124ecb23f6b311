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
#include <span>
#include <string_view>

#include "zygote/inside/memory_map.h"

namespace casemate {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint64_t kPresent = 1ULL << 63;
constexpr std::uint64_t kSwapped = 1ULL << 62;
constexpr std::uint64_t kOfFile = 1ULL << 61;
constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, Linux 5.14

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
    const std::uint64_t entry = EntryOf(address);
    return count_ == 0 || (entry & (kPresent | kSwapped)) != 0;
  }
  // Written since it was mapped from its file.
  bool IsOwn(std::uint64_t address) { return (EntryOf(address) & (kPresent | kOfFile)) == kPresent; }

 private:
  std::uint64_t EntryOf(std::uint64_t address) {
    const std::uint64_t page = address / kPage;
    if (page < first_ || page >= first_ + count_) Read(page);
    return count_ == 0 ? 0 : entries_[page - first_];
  }
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

struct Moved {
  std::uint64_t start;
  std::uint64_t end;
  off_t offset;  // in the memfd
};
// Pages that a child will write to.
struct Run {
  std::uint64_t start;
  std::uint64_t bytes;
};
// What finds no room is left to faults.
constexpr std::size_t kMovedMax = 512;
constexpr std::size_t kRunsMax = 2048;

// What has been moved, and where to.
class Settled {
 public:
  void Begin(int memfd) { memfd_ = memfd; }
  void Add(const Mapping& mapping, off_t offset) {
    if (moved_count_ < kMovedMax) moved_[moved_count_++] = {mapping.start, mapping.end, offset};
  }
  // The pages that have been written since; how many runs of them there are.
  std::size_t FindOwn(std::span<Run> runs) const {
    std::size_t count = 0;
    Pagemap pages;
    for (const Moved& moved : std::span(moved_).first(moved_count_)) {
      for (std::uint64_t address = moved.start; address < moved.end; address += kPage) {
        if (!pages.IsOwn(address)) continue;
        if (count > 0 && address != moved.start && runs[count - 1].start + runs[count - 1].bytes == address) {
          runs[count - 1].bytes += kPage;
        } else if (count < runs.size()) {
          runs[count++] = {address, kPage};
        }
      }
    }
    return count;
  }
  // Moves them as well: nothing but the stack is written to meanwhile.
  void MoveOwn(std::span<const Run> runs) const {
    for (const Run& run : runs) {
      for (const Moved& moved : std::span(moved_).first(moved_count_)) {
        if (run.start < moved.start || run.start >= moved.end) continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that the kernel named
        void* const place = reinterpret_cast<void*>(run.start);
        const off_t at = moved.offset + static_cast<off_t>(run.start - moved.start);
        if (pwrite(memfd_, place, run.bytes, at) == static_cast<ssize_t>(run.bytes))
          madvise(place, run.bytes, MADV_DONTNEED);
      }
    }
  }
  bool is_open() const { return memfd_ >= 0; }
  void Close() {
    close(memfd_);
    memfd_ = -1;
  }

 private:
  int memfd_ = -1;
  std::size_t moved_count_ = 0;
  std::array<Moved, kMovedMax> moved_{};
};

constinit Settled settled;
constinit std::array<Run, kRunsMax> rewritten{};
constinit std::size_t rewritten_count = 0;

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
    settled.Add(mapping, offset);
    offset += size;
  }
  settled.Begin(memfd);
  return offset;
}

void UseSettledMemory() {
  narrow_faults.End();
  if (!settled.is_open()) return;
  rewritten_count = settled.FindOwn(rewritten);
  settled.MoveOwn(std::span(rewritten).first(rewritten_count));
  settled.Close();
}

void TakeRewrittenPages() {
  for (const Run& run : std::span(rewritten).first(rewritten_count)) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that the kernel named
    if (madvise(reinterpret_cast<void*>(run.start), run.bytes, kPopulateWrite) != 0) return;
  }
}

}  // namespace casemate
