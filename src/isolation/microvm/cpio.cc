#include "isolation/microvm/cpio.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <iterator>
#include <utility>

namespace casemate::microvm {
namespace {

void Pad(std::string& archive) {
  constexpr std::size_t kAlignment = 4;
  archive.append((kAlignment - archive.size() % kAlignment) % kAlignment, '\0');
}

}  // namespace

void CpioWriter::Entry(std::string_view name, mode_t mode, std::string_view bytes) {
  // Magic, inode, mode, uid, gid, links, time, size, four device numbers, length of the name, checksum.
  fmt::format_to(std::back_inserter(archive_),
                 "070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}",
                 ++inode_, mode, 0, 0, 1, 0, bytes.size(), 0, 0, 0, 0, name.size() + 1, 0);
  archive_ += name;
  archive_ += '\0';
  Pad(archive_);
  archive_ += bytes;
  Pad(archive_);
}

void CpioWriter::Folder(std::string_view name, mode_t mode) { Entry(name, S_IFDIR | mode, {}); }

void CpioWriter::File(std::string_view name, mode_t mode, std::string_view bytes) {
  Entry(name, S_IFREG | mode, bytes);
}

std::string CpioWriter::Take() && {
  Entry("TRAILER!!!", 0, {});
  return std::move(archive_);
}

}  // namespace casemate::microvm
