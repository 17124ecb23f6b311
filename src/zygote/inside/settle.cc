// Why it is safe to replace the memory under one's own feet: everything that runs here lives on the stack,
// which is left alone, and in code, which is not writable. Between the copy of a mapping and its replacement
// nothing writes to it but errno, whose value nobody needs.
#include "zygote/inside/settle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <string_view>

namespace casemate {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMapsMax = 512 * std::size_t{1024};
constexpr std::uint64_t kPresent = 1ULL << 63;
constexpr std::uint64_t kSwapped = 1ULL << 62;

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  bool anonymous = false;
};

// One line of /proc/self/maps (proc(5)); false for what stays as it is.
bool ParseMapping(std::string_view line, Mapping& mapping) {
  const char* at = line.data();
  const char* const end = line.data() + line.size();
  auto parsed = std::from_chars(at, end, mapping.start, 16);
  if (parsed.ec != std::errc() || parsed.ptr == end) return false;
  parsed = std::from_chars(parsed.ptr + 1, end, mapping.end, 16);
  if (parsed.ec != std::errc()) return false;
  const std::string_view rest(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  if (!rest.starts_with(" rw-p ")) return false;
  if (rest.contains("[stack") || rest.contains("[v")) return false;
  mapping.anonymous = rest.contains(" 00:00 0");
  return true;
}

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

std::size_t ReadMaps(std::array<char, kMapsMax>& text) {
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::size_t length = 0;
  for (;;) {
    const ssize_t count = read(fd, text.data() + length, text.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    length += static_cast<std::size_t>(count);
  }
  close(fd);
  return length == text.size() ? 0 : length;
}

}  // namespace

std::int64_t SettleMemory() {
  std::array<char, kMapsMax> text;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by the kernel
  std::string_view lines(text.data(), ReadMaps(text));
  if (lines.empty()) return -EIO;
  const int memfd = memfd_create("zygote", MFD_CLOEXEC);
  if (memfd < 0) return -errno;
  Pagemap pages;
  off_t offset = 0;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    Mapping mapping;
    const bool movable = ParseMapping(lines.substr(0, end), mapping);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (!movable) continue;
    const auto size = static_cast<off_t>(mapping.end - mapping.start);
    if (ftruncate(memfd, offset + size) != 0 || !MoveMapping(memfd, offset, mapping, pages)) {
      const int err = errno;
      close(memfd);
      return -err;
    }
    offset += size;
  }
  close(memfd);
  return offset;
}

}  // namespace casemate
