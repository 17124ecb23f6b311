#include "isolation/docker/tar.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace casemate::docker {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kPiece = 256 * 1024;
constexpr std::size_t kNameField = 100;

// "LENGTH KEY=VALUE\n", where the length counts itself.
std::string PaxRecord(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

struct HeaderFields {
  char type;
  std::string_view name;
  mode_t mode;
  std::uint64_t size;
  std::string_view target;
};

std::string HeaderBlock(const HeaderFields& fields) {
  std::string block(kBlock, '\0');
  const auto put = [&block](std::size_t at, std::string_view text, std::size_t room) {
    std::memcpy(block.data() + at, text.data(), std::min(text.size(), room));
  };
  put(0, fields.name, kNameField);
  put(100, fmt::format("{:07o}", fields.mode), 8);
  put(108, "0000000", 8);
  put(116, "0000000", 8);
  put(124, fmt::format("{:011o}", fields.size), 12);
  put(136, "00000000000", 12);
  put(148, "        ", 8);
  block[156] = fields.type;
  put(157, fields.target, kNameField);
  put(257, "ustar", 6);
  put(263, "00", 2);
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  put(148, fmt::format("{:06o}", sum), 7);
  block[154] = '\0';
  return block;
}

}  // namespace

Expected<void> TarWriter::Flush() {
  if (waiting_.empty()) return {};
  auto sent = sink_(waiting_);
  waiting_.clear();
  return sent;
}

Expected<void> TarWriter::Write(std::string_view bytes) {
  waiting_ += bytes;
  return waiting_.size() >= kPiece ? Flush() : Expected<void>();
}

Expected<void> TarWriter::Pad(std::uint64_t size) {
  return Write(std::string((kBlock - size % kBlock) % kBlock, '\0'));
}

Expected<void> TarWriter::Header(char type, std::string_view path, mode_t mode, std::uint64_t size,
                                 std::string_view target) {
  std::string pax;
  if (path.size() > kNameField) pax += PaxRecord("path", path);
  if (target.size() > kNameField) pax += PaxRecord("linkpath", target);
  if (!pax.empty()) {
    if (auto done = Write(HeaderBlock({'x', "pax", 0644, pax.size(), ""})); !done) return done;
    if (auto done = Write(pax); !done) return done;
    if (auto done = Pad(pax.size()); !done) return done;
  }
  return Write(HeaderBlock({type, path, mode, size, target}));
}

Expected<void> TarWriter::Folder(std::string_view path, mode_t mode) {
  return Header('5', std::string(path) + "/", mode, 0, "");
}

Expected<void> TarWriter::Symlink(std::string_view path, std::string_view target) {
  return Header('2', path, 0777, 0, target);
}

Expected<void> TarWriter::File(std::string_view path, mode_t mode, std::string_view bytes) {
  if (auto done = Header('0', path, mode, bytes.size(), ""); !done) return done;
  if (auto done = Write(bytes); !done) return done;
  return Pad(bytes.size());
}

Expected<void> TarWriter::FileFrom(std::string_view path, mode_t mode, const std::string& host_path) {
  auto file = OpenFile(host_path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  struct stat info {};
  if (fstat(file->get(), &info) != 0) return Fail(ErrorCode::kInternal, "cannot look at " + host_path);
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (auto done = Header('0', path, mode, size, ""); !done) return done;
  std::array<char, 65536> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (std::uint64_t left = size; left > 0;) {
    const ssize_t count = read(file->get(), bytes.data(), std::min<std::uint64_t>(left, bytes.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      return Fail(ErrorCode::kUnavailable, fmt::format("{} changes while it is read; try again", host_path));
    left -= static_cast<std::uint64_t>(count);
    if (auto done = Write({bytes.data(), static_cast<std::size_t>(count)}); !done) return done;
  }
  return Pad(size);
}

Expected<void> TarWriter::End() {
  if (auto done = Write(std::string(2 * kBlock, '\0')); !done) return done;
  return Flush();
}

}  // namespace casemate::docker
