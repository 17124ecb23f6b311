#include "audit/store.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"

namespace casemate::audit {
namespace {

constexpr std::size_t kNumberDigits = 8;
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::string_view kHeadMagic = "casemate-audit-head 1";

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::string LogFolder(const std::string& state_dir) { return state_dir + "/audit"; }
std::string HeadPath(const std::string& folder) { return folder + "/head"; }
std::string SegmentPath(const std::string& folder, std::int64_t segment) {
  return fmt::format("{}/{:08}{}", folder, segment, kSuffix);
}

Expected<std::vector<std::int64_t>> ListSegments(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), ::closedir);
  if (!dir) {
    return FailErrno(
        errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInvalidRequest,
        fmt::format("there is no audit log at {}: name its state folder with --state-dir", folder),
        "opendir " + folder);
  }
  std::vector<std::int64_t> numbers;
  while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is ours
    const std::string_view name = entry->d_name;
    if (name.size() != kNumberDigits + kSuffix.size() || !name.ends_with(kSuffix)) continue;
    if (const auto number = Number(name.substr(0, kNumberDigits)); number && *number > 0) {
      numbers.push_back(*number);
    }
  }
  std::ranges::sort(numbers);
  return numbers;
}

std::string EncodeHead(const Head& head) {
  std::string text = fmt::format("{} {:020} {:020} {:020} {:020} {} ", kHeadMagic, head.segment, head.size,
                                 head.checkpoint_seq, head.last.seq, head.last.hash);
  text += Sha256Hex(text).substr(0, 16);
  return text + "\n";
}

std::optional<Head> DecodeHead(std::string_view text) {
  if (!text.starts_with(kHeadMagic)) return std::nullopt;
  std::string_view rest = text.substr(kHeadMagic.size());
  const auto take = [&rest]() -> std::string_view {
    if (!rest.starts_with(' ')) return {};
    rest.remove_prefix(1);
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(word.size());
    return word;
  };
  Head head;
  for (std::int64_t* field : {&head.segment, &head.size, &head.checkpoint_seq, &head.last.seq}) {
    const auto number = Number(take());
    if (!number) return std::nullopt;
    *field = *number;
  }
  head.last.hash = take();
  // The encoding is the check: of what was read, to the byte.
  if (head.segment < 1 || EncodeHead(head) != text) return std::nullopt;
  return head;
}

std::optional<Head> ReadHead(const std::string& folder) {
  constexpr std::size_t kHeadBytesMax = 512;
  const auto text = ReadFile(HeadPath(folder), kHeadBytesMax);
  return text ? DecodeHead(*text) : std::nullopt;
}

}  // namespace casemate::audit
