#include "secrets/dotenv/git_index.h"

#include <sys/stat.h>

#include <cstdint>
#include <optional>

#include "base/file.h"

namespace casemate::secrets {
namespace {

constexpr std::size_t kIndexBytesMax = 256 << 20;
constexpr std::size_t kHeader = 12;
constexpr std::size_t kFixed = 62;  // of an entry, to its flags
constexpr std::uint32_t kExtended = 0x4000;

std::uint32_t Number(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < width; ++i) number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

// git's own variable width of an offset (gitformat-pack(5), "offset encoding").
std::optional<std::size_t> TakeOffset(std::string_view bytes, std::size_t& at) {
  std::size_t value = 0;
  for (int i = 0; i < 5 && at < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    value = (i == 0 ? 0 : (value + 1) << 7) | (byte & 0x7FU);
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

// The folder above `folder`; "" above the first.
std::string Above(const std::string& folder) { return folder.substr(0, folder.rfind('/')); }

bool IsFolder(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// A worktree's .git is a file that names its folder.
std::string GitFolder(const std::string& top) {
  std::string dot = top + "/.git";
  if (IsFolder(dot)) return dot;
  constexpr std::string_view kWord = "gitdir: ";
  const auto text = ReadFile(dot, 4096);
  if (!text || !text->starts_with(kWord)) return "";
  const std::string target = text->substr(kWord.size(), text->find('\n') - kWord.size());
  return target.starts_with('/') ? target : top + "/" + target;
}

}  // namespace

bool GitIndexHas(std::string_view index, std::string_view name) {
  if (index.size() < kHeader || !index.starts_with("DIRC")) return false;
  const std::uint32_t version = Number(index, 4, 4);
  const std::uint32_t count = Number(index, 8, 4);
  if (version < 2 || version > 4) return false;
  std::size_t at = kHeader;
  std::string path;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t begin = at;
    if (index.size() - at < kFixed + 2) return false;
    const bool extended = (Number(index, at + kFixed - 2, 2) & kExtended) != 0;
    at += kFixed + (extended ? 2 : 0);
    if (version == 4) {
      const auto cut = TakeOffset(index, at);
      if (!cut || *cut > path.size()) return false;
      path.resize(path.size() - *cut);
    } else {
      path.clear();
    }
    const std::size_t end = index.find('\0', at);
    if (end == std::string_view::npos) return false;
    path += index.substr(at, end - at);
    if (path == name) return true;
    // Up to version 3, one to eight zero bytes fill an entry up to a multiple of eight.
    at = version == 4 ? end + 1 : begin + (end - begin + 8) / 8 * 8;
    if (at > index.size()) return false;
  }
  return false;
}

bool IsTrackedByGit(const std::string& path) {
  for (std::string top = Above(path);; top = Above(top)) {
    if (FileExists(top + "/.git")) {
      const std::string git = GitFolder(top);
      if (git.empty()) return false;
      const auto index = ReadFile(git + "/index", kIndexBytesMax);
      return index && GitIndexHas(*index, std::string_view(path).substr(top.size() + 1));
    }
    if (top.empty()) return false;
  }
}

}  // namespace casemate::secrets
