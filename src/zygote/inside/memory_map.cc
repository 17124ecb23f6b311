#include "zygote/inside/memory_map.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace casemate {
namespace {

bool Parse(std::string_view line, Mapping& mapping) {
  const char* at = line.data();
  const char* const end = line.data() + line.size();
  auto parsed = std::from_chars(at, end, mapping.start, 16);
  if (parsed.ec != std::errc() || parsed.ptr == end) return false;
  parsed = std::from_chars(parsed.ptr + 1, end, mapping.end, 16);
  if (parsed.ec != std::errc()) return false;
  const std::string_view rest(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  mapping.writable = rest.starts_with(" rw-p ");
  mapping.constant = rest.starts_with(" r--p ") || rest.starts_with(" r-xp ");
  mapping.anonymous = rest.contains(" 00:00 0");
  mapping.of_kernel = rest.contains("[stack") || rest.contains("[v");
  return true;
}

}  // namespace

bool NextMapping(std::string_view& lines, Mapping& mapping) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (Parse(line, mapping)) return true;
  }
  return false;
}

std::string_view MapsText::Read() {
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::size_t length = 0;
  for (;;) {
    const ssize_t count = read(fd, text_.data() + length, text_.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    length += static_cast<std::size_t>(count);
  }
  close(fd);
  return {text_.data(), length == text_.size() ? 0 : length};
}

}  // namespace casemate
