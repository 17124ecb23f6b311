#include "audit/prune.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <vector>

#include "audit/mapped_file.h"
#include "audit/record.h"
#include "audit/scan.h"
#include "audit/sink_state.h"
#include "audit/store.h"
#include "base/errno.h"
#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate::audit {
namespace {

struct Segment {
  std::int64_t number;
  std::int64_t bytes;
  std::int64_t begins_us;  // its first record's time
  Link last;
};

Expected<Segment> Look(const std::string& folder, std::int64_t number) {
  const auto file = MappedFile::Open(SegmentPath(folder, number));
  if (!file) return std::unexpected(file.error());
  const std::string_view bytes = file->bytes();
  Segment segment{number, static_cast<std::int64_t>(bytes.size()), 0, LastIntact(bytes)};
  const auto value = ParseBoundedValue(bytes.substr(0, bytes.find('\n')), {.bytes_max = kRecordBytesMax});
  if (value && value->is_object()) {
    const auto* time = FindString(value->get_object(), "time");
    if (time != nullptr) segment.begins_us = ParseTime(*time).value_or(0);
  }
  return segment;
}

// Whether a record of the segment says that it is to stay beyond `now`.
Expected<bool> IsPromised(const std::string& folder, std::int64_t number, std::int64_t now_us) {
  const auto file = MappedFile::Open(SegmentPath(folder, number));
  if (!file) return std::unexpected(file.error());
  const std::string_view bytes = file->bytes();
  constexpr std::string_view kKey = "\"keep_until\":\"";
  for (std::size_t at = bytes.find(kKey); at != bytes.npos;) {
    const std::size_t begin = bytes.rfind('\n', at) == bytes.npos ? 0 : bytes.rfind('\n', at) + 1;
    const std::size_t end = std::min(bytes.find('\n', at), bytes.size());
    // The words may be a program's own, further in.
    const auto value = ParseBoundedValue(bytes.substr(begin, end - begin), {.bytes_max = kRecordBytesMax});
    const auto* until = value && value->is_object() ? FindString(value->get_object(), "keep_until") : nullptr;
    if (until != nullptr && ParseTime(*until).value_or(0) > now_us) return true;
    at = bytes.find(kKey, end);
  }
  return false;
}

std::string PruneBody(const Segment& last, std::size_t count) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("kind", "prune");
  writer.Field("time", FormatTime(WallUs()));
  writer.Field("caller", fmt::format("uid:{}", ::getuid()));
  writer.Field("segments", count);
  writer.Field("through_seq", last.last.seq);
  writer.Field("through_hash", last.last.hash);
  return std::move(writer).Take();
}

}  // namespace

Expected<Pruned> Prune(const std::string& folder, const Retention& retention, Writer& writer) {
  const auto numbers = ListSegments(folder);
  if (!numbers) return std::unexpected(numbers.error());
  std::vector<Segment> segments;
  std::int64_t total = 0;
  for (const std::int64_t number : *numbers) {
    auto segment = Look(folder, number);
    if (!segment) return std::unexpected(std::move(segment.error()));
    total += segment->bytes;
    segments.push_back(*std::move(segment));
  }
  std::int64_t unsent_from = std::numeric_limits<std::int64_t>::max();
  if (retention.spares) {
    for (const auto& [name, sink] : ListSinks(folder)) unsent_from = std::min(unsent_from, sink.seq + 1);
  }
  Pruned pruned;
  std::size_t count = 0;
  for (; count + 1 < segments.size(); ++count) {
    // A segment ends before the next one begins.
    bool old = retention.since_us && segments[count + 1].begins_us <= *retention.since_us &&
               segments[count].last.seq < unsent_from;
    const bool large = retention.bytes_max && total > *retention.bytes_max;
    if (old && !large && retention.spares) {
      const auto promised = IsPromised(folder, segments[count].number, WallUs());
      if (!promised) return std::unexpected(promised.error());
      old = !*promised;
    }
    // What has no record to end with cannot be told of, and stays.
    if ((!old && !large) || segments[count].last.seq == 0) break;
    total -= segments[count].bytes;
    pruned.bytes += segments[count].bytes;
  }
  if (count == 0) return pruned;
  const Segment& last = segments[count - 1];
  if (auto told = writer.Append({PruneBody(last, count)}); !told)
    return std::unexpected(std::move(told.error()));
  if (auto sealed = writer.Checkpoint(); !sealed) return std::unexpected(std::move(sealed.error()));
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = SegmentPath(folder, segments[i].number);
    // Another process may prune as well.
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      return FailErrno(ErrorCode::kInternal, "a pruned part of the audit log cannot be removed: try again",
                       "unlink " + path);
    }
  }
  pruned.segments = static_cast<std::int64_t>(count);
  pruned.through_seq = last.last.seq;
  return pruned;
}

}  // namespace casemate::audit
