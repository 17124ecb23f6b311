#include "audit/follow.h"

#include <algorithm>
#include <optional>
#include <ranges>
#include <vector>

#include "audit/mapped_file.h"
#include "audit/store.h"

namespace casemate::audit {
namespace {

std::string_view Acknowledged(std::string_view bytes, std::int64_t segment, const std::optional<Head>& head) {
  return head && segment == head->segment ? bytes.substr(0, static_cast<std::size_t>(head->size)) : bytes;
}

}  // namespace

Expected<void> Follower::SeekBack(std::int64_t lines) {
  const auto segments = ListSegments(folder_);
  if (!segments) return std::unexpected(segments.error());
  const std::optional<Head> head = ReadHead(folder_);
  for (const std::int64_t segment : *segments | std::views::reverse) {
    if (head && segment > head->segment) continue;
    const auto file = MappedFile::Open(SegmentPath(folder_, segment));
    if (!file) return std::unexpected(file.error());
    segment_ = segment;
    const std::string_view bytes = Acknowledged(file->bytes(), segment, head);
    // Behind its last whole line.
    std::size_t at = bytes.rfind('\n') + 1;
    while (at > 0 && lines > 0) {
      const std::size_t before = at < 2 ? std::string_view::npos : bytes.rfind('\n', at - 2);
      at = before + 1;
      --lines;
    }
    offset_ = static_cast<std::int64_t>(at);
    if (lines == 0) break;
  }
  return {};
}

Expected<void> Follower::Read(const std::function<bool(std::string_view)>& visit) {
  // Before the segments: what is behind it may still be taken back.
  const std::optional<Head> head = ReadHead(folder_);
  if (head && head->segment == segment_ && head->size == offset_) return {};
  const auto segments = ListSegments(folder_);
  if (!segments) return std::unexpected(segments.error());
  for (const std::int64_t segment : *segments) {
    if (segment < segment_ || (head && segment > head->segment)) continue;
    if (segment > segment_) {
      segment_ = segment;
      offset_ = 0;
    }
    const auto file = MappedFile::Open(SegmentPath(folder_, segment));
    // It was pruned a moment ago.
    if (!file && file.error().code == ErrorCode::kNotFound) continue;
    if (!file) return std::unexpected(file.error());
    const std::string_view bytes = Acknowledged(file->bytes(), segment, head);
    for (;;) {
      const auto from = static_cast<std::size_t>(offset_);
      const std::size_t end = from < bytes.size() ? bytes.find('\n', from) : std::string_view::npos;
      if (end == std::string_view::npos) break;
      offset_ = static_cast<std::int64_t>(end) + 1;
      if (!visit(bytes.substr(from, end - from))) return {};
    }
  }
  return {};
}

}  // namespace casemate::audit
