// What an append does about a log whose end is not as `head` says: see writer.cc.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "audit/scan.h"
#include "audit/writer.h"
#include "base/file.h"
#include "base/sha256.h"
#include "model/json_writer.h"

namespace casemate::audit {
namespace {

std::string HostName() { return ReadKernelFile("/proc/sys/kernel/hostname"); }

JsonWriter StartBody(std::string_view kind) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("kind", kind);
  writer.Field("time", FormatTime(WallUs()));
  return writer;
}

}  // namespace

// The first record of a log names its key and its host.
Expected<void> Writer::Begin(std::vector<std::string>& bodies) {
  const auto segments = ListSegments(folder_);
  if (!segments) return std::unexpected(segments.error());
  if (!segments->empty()) return Recover(std::nullopt, bodies);
  auto key = SigningKey::Load(folder_);
  if (!key) return std::unexpected(Error{ErrorCode::kUnavailable, key.error().message, key.error().cause});
  JsonWriter writer = StartBody("log");
  writer.Field("format", 1);
  writer.Field("host", HostName());
  writer.Field("public_key", key->public_key());
  writer.Field("checkpoint_every", options_.checkpoint_every);
  // A log that this process has seen, and that is gone.
  if (head_.last.seq > 0) {
    writer.Field("lost_through_seq", head_.last.seq);
    writer.Field("lost_through_hash", head_.last.hash);
  }
  bodies.push_back(std::move(writer).Take());
  key_ = *std::move(key);
  head_ = Head{};
  return MoveOn(1, Link{});
}

Expected<void> Writer::Recover(const std::optional<Head>& head, std::vector<std::string>& bodies) {
  const auto segments = ListSegments(folder_);
  if (!segments) return std::unexpected(segments.error());
  JsonWriter writer = StartBody("recovery");
  std::int64_t newest = segments->empty() ? 0 : segments->back();
  if (!head) {
    // The last whole record that is found is what goes on.
    Link last;
    if (newest > 0) {
      const auto bytes = ReadFile(SegmentPath(folder_, newest), kSegmentBytesMax);
      if (!bytes) return std::unexpected(bytes.error());
      last = LastIntact(*bytes);
    }
    writer.Field("found", "head_damaged");
    writer.Field("after_seq", last.seq);
    bodies.push_back(std::move(writer).Take());
    head_ = Head{};
    return MoveOn(newest + 1, last);
  }
  head_ = *head;
  newest = std::max(newest, head->segment);
  writer.Field("segment", head->segment);
  writer.Field("expected_bytes", head->size);
  std::string bytes;
  if (OpenSegment(head->segment, false)) {
    auto read = ReadFile(SegmentPath(folder_, head->segment), kSegmentBytesMax);
    if (!read) return std::unexpected(std::move(read.error()));
    bytes = *std::move(read);
  }
  writer.Field("found_bytes", bytes.size());
  if (static_cast<std::int64_t>(bytes.size()) < head->size || !TailMatches()) {
    writer.Field("found", "segment_damaged");
    bodies.push_back(std::move(writer).Take());
    return MoveOn(newest + 1, head->last);
  }
  // Lines that a writer wrote without being able to say so, and what it had not finished.
  Head next = *head;
  std::string_view rest = std::string_view(bytes).substr(static_cast<std::size_t>(head->size));
  const std::size_t taken = FollowChain(rest, next.last);
  next.size += static_cast<std::int64_t>(taken);
  rest.remove_prefix(taken);
  writer.Field("found", rest.empty() ? "unacknowledged" : "torn");
  writer.Field("adopted", next.last.seq - head->last.seq);
  if (!rest.empty()) {
    writer.Field("torn_bytes", rest.size());
    writer.Field("torn_sha256", Sha256Hex(rest));
  }
  bodies.push_back(std::move(writer).Take());
  head_ = next;
  return rest.empty() ? Expected<void>() : MoveOn(newest + 1, next.last);
}

}  // namespace casemate::audit
