#include "ship/shipper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>

#include "audit/record.h"
#include "audit/store.h"
#include "base/file.h"

namespace casemate::ship {
namespace {

constexpr std::size_t kBatchRecords = 512;
constexpr std::size_t kBatchBytes = std::size_t{1} << 20U;
constexpr std::int64_t kFirstWaitMs = 250;
constexpr std::int64_t kLongestWaitMs = 30'000;

}  // namespace

Expected<std::unique_ptr<Shipper>> Shipper::Make(std::string folder, const Target& target,
                                                 std::unique_ptr<Sink> sink, Tell tell) {
  if (auto made = MakeFolders(audit::SinksFolder(folder), 0700); !made) return std::unexpected(made.error());
  auto lock = OpenFile(fmt::format("{}/.{}.lock", audit::SinksFolder(folder), target.name),
                       O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!lock) return std::unexpected(lock.error());
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("another process ships this log to {} already: end it first", target.text));
  }
  auto state = audit::ReadSinkState(folder, target.name);
  if (!state) return std::unexpected(state.error());
  state->target = target.text;
  return std::unique_ptr<Shipper>(new Shipper(std::move(folder), target, std::move(sink), std::move(tell),
                                              *std::move(lock), *std::move(state)));
}

Shipper::Shipper(std::string folder, Target target, std::unique_ptr<Sink> sink, Tell tell, UniqueFd lock,
                 audit::SinkState state)
    : folder_(std::move(folder)),
      target_(std::move(target)),
      sink_(std::move(sink)),
      tell_(std::move(tell)),
      lock_(std::move(lock)),
      state_(std::move(state)),
      follower_(folder_),
      read_seq_(state_.seq) {
  follower_.Seek(state_.segment, state_.offset);
}

Expected<Shipper::Step> Shipper::Next() {
  if (const auto head = audit::ReadHead(folder_); head && head->last.seq < read_seq_) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format(
            "the log ends at record {}, but {} has had record {}: it was cut or made anew; verify it, "
            "then remove {} to send what there is",
            head->last.seq, target_.text, read_seq_, audit::SinkStatePath(folder_, target_.name)));
  }
  if (auto filled = Fill(); !filled) return std::unexpected(filled.error());
  if (records_.empty()) {
    if (state_.segment != follower_.segment() || state_.offset != follower_.offset()) {
      state_.segment = follower_.segment();
      state_.offset = follower_.offset();
    }
    return Step::kIdle;
  }
  const Delivery delivery = sink_->Send(records_);
  Note(delivery);
  if (auto kept = Keep(); !kept) return std::unexpected(kept.error());
  return delivery.done > 0 ? Step::kSent : Step::kWaiting;
}

// Reads on until the batch is full.
Expected<void> Shipper::Fill() {
  std::size_t bytes = 0;
  for (const Record& record : records_) bytes += record.line.size();
  if (records_.size() >= kBatchRecords || bytes >= kBatchBytes) return {};
  return follower_.Read([this, &bytes](std::string_view line) {
    auto record = ReadRecord(line);
    // Torn bytes of a writer that was killed, or a line that was taken in twice.
    if (!record || record->seq <= read_seq_) return true;
    // A new sink begins with what there is.
    const bool is_new = state_.segment == 0 && read_seq_ == 0;
    if (record->seq > read_seq_ + 1 && !is_new) {
      const std::int64_t gone = record->seq - read_seq_ - 1;
      state_.lost += gone;
      tell_(true, fmt::format("{}: records {} to {} were pruned before they were sent, and are lost to it",
                              target_.text, read_seq_ + 1, record->seq - 1));
    }
    read_seq_ = record->seq;
    bytes += record->line.size();
    records_.push_back(*std::move(record));
    places_.push_back({follower_.segment(), follower_.offset()});
    return records_.size() < kBatchRecords && bytes < kBatchBytes;
  });
}

void Shipper::Note(const Delivery& delivery) {
  const std::size_t done = std::min(delivery.done, records_.size());
  if (done > 0) {
    const Waiting& place = places_[done - 1];
    state_.segment = place.segment;
    state_.offset = place.offset;
    state_.seq = records_[done - 1].seq;
    state_.sent += static_cast<std::int64_t>(done - delivery.lost);
    state_.lost += static_cast<std::int64_t>(delivery.lost);
    state_.shortened += static_cast<std::int64_t>(delivery.shortened);
    state_.last_sent_us = audit::WallUs();
    const auto count = static_cast<std::ptrdiff_t>(done);
    records_.erase(records_.begin(), records_.begin() + count);
    places_.erase(places_.begin(), places_.begin() + count);
  }
  const bool waits = !records_.empty() && !delivery.trouble.empty();
  if (delivery.lost > 0) tell_(true, fmt::format("{}: {}", target_.text, delivery.trouble));
  if (waits) {
    ++state_.failures;
    // The same trouble is told once.
    if (state_.trouble != delivery.trouble)
      tell_(true, fmt::format("{}: {}", target_.text, delivery.trouble));
    wait_ms_ = done > 0 ? kFirstWaitMs : std::clamp(wait_ms_ * 2, kFirstWaitMs, kLongestWaitMs);
    wait_ms_ = std::max(wait_ms_, delivery.retry_after_ms);
    state_.trouble = delivery.trouble;
  } else {
    if (!state_.trouble.empty()) tell_(false, fmt::format("{}: takes records again", target_.text));
    state_.trouble.clear();
    wait_ms_ = 0;
  }
}

Expected<void> Shipper::Keep() {
  return WriteFileAtomically(audit::SinkStatePath(folder_, target_.name), audit::EncodeSinkState(state_),
                             0600);
}

}  // namespace casemate::ship
