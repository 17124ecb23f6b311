// link: environments_build environments base model
// Archives of strangers: a wheel, a layer over another one, a whole saved image. The first byte says which,
// and whether the checksums of tar headers are set right first, without which nothing behind them is read.
// Nothing is written outside of the folder, and never more than the limits say.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/unique_fd.h"
#include "environments/build/image_unpack.h"
#include "environments/build/wheel.h"
#include "scratch_folder.h"

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kSizeDigits = 11;
constexpr std::size_t kSumAt = 148;
constexpr std::size_t kSumDigits = 8;
constexpr std::int64_t kBytesMax = 1 << 20;
constexpr std::int64_t kFilesMax = 100;

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string Summed(std::string tar) {
  for (std::size_t at = 0; at + kBlock <= tar.size();) {
    std::fill_n(tar.begin() + static_cast<std::ptrdiff_t>(at + kSumAt), kSumDigits, ' ');
    unsigned sum = 0;
    for (const char c : std::string_view(tar).substr(at, kBlock)) sum += static_cast<unsigned char>(c);
    for (std::size_t digit = 0; digit < kSumDigits - 2; ++digit, sum /= 8)
      tar[at + kSumAt + kSumDigits - 3 - digit] = static_cast<char>('0' + sum % 8);
    tar[at + kSumAt + kSumDigits - 2] = '\0';
    std::size_t size = 0;
    for (const char c : std::string_view(tar).substr(at + kSizeAt, kSizeDigits)) {
      if (c < '0' || c > '7') break;
      size = size * 8 + static_cast<std::size_t>(c - '0');
    }
    at += kBlock + (size + kBlock - 1) / kBlock * kBlock;
  }
  return tar;
}

casemate::UniqueFd FileOf(std::string_view bytes) {
  casemate::UniqueFd fd(::memfd_create("archive", MFD_CLOEXEC));
  Require(casemate::WriteAll(fd.get(), bytes, "archive").has_value());
  Require(::lseek(fd.get(), 0, SEEK_SET) == 0);
  return fd;
}

casemate::UniqueFd NewFolder(const std::string& path) {
  fs::create_directory(path);
  return casemate::UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// Without following a link.
void CheckTree(const std::string& path) {
  std::int64_t bytes = 0;
  std::int64_t entries = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    ++entries;
    struct stat info {};
    Require(::lstat(entry.path().c_str(), &info) == 0);
    Require(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISLNK(info.st_mode));
    Require((info.st_mode & (S_ISUID | S_ISGID | S_ISVTX)) == 0);
    if (S_ISREG(info.st_mode)) bytes += info.st_size / static_cast<std::int64_t>(info.st_nlink);
  }
  Require(entries <= kFilesMax + 1 && bytes <= kBytesMax + 4096);
}

void Unpack(std::uint8_t how, std::string_view bytes, const std::string& folder) {
  constexpr casemate::TreeLimits kLimits{kBytesMax, kFilesMax};
  const casemate::UniqueFd archive = FileOf((how & 4U) != 0 ? Summed(std::string(bytes)) : bytes);
  const casemate::UniqueFd tree = NewFolder(folder + "/tree");
  if (how % 4 == 0) {
    (void)casemate::UnpackWheel(archive.get(), tree.get(), kLimits);
  } else if (how % 4 == 1) {
    const casemate::UniqueFd outer = NewFolder(folder + "/outer");
    (void)casemate::UnpackImage(archive.get(), outer.get(), tree.get(), kLimits);
    CheckTree(folder + "/outer");
  } else {
    casemate::TreeWriter writer(tree.get(), casemate::TreeLinks::kInRoot, kLimits);
    // Twice: the second time all that it made is in its way.
    if (casemate::ApplyLayer(archive.get(), writer)) (void)casemate::ApplyLayer(archive.get(), writer);
  }
  CheckTree(folder + "/tree");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScratchFolder scratch;
  if (size == 0) return 0;
  const std::string folder = scratch.path() + "/a";
  fs::create_directory(folder);
  Unpack(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1}, folder);
  const auto entries = [](const std::string& path) {
    return std::distance(fs::directory_iterator(path), fs::directory_iterator());
  };
  Require(entries(scratch.path()) == 1 && entries(folder) <= 2);
  fs::remove_all(folder);
  return 0;
}
