#include "batch/former_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace casemate {
namespace {

std::uint64_t HashOf(std::string_view sha256) {
  std::uint64_t hash = 0;
  const std::string_view first = sha256.substr(0, 16);
  std::from_chars(first.data(), first.data() + first.size(), hash, 16);
  return hash;
}

}  // namespace

FormerRun::Entry& FormerRun::At(std::int64_t number) {
  last_number_ = std::max(last_number_, number);
  return pieces_[(number - 1) / kPieceLines][static_cast<std::size_t>((number - 1) % kPieceLines)];
}

void FormerRun::MarkBegun(std::int64_t number, std::string_view request_sha256) {
  At(number) = {HashOf(request_sha256), FormerState::kBegun};
}

void FormerRun::MarkHeld(std::int64_t number, const HeldLine& line) {
  Entry& entry = At(number);
  if (entry.state != FormerState::kBegun && entry.state != FormerState::kHeld) return;
  entry.state = FormerState::kHeld;
  held_[number] = line;
}

void FormerRun::MarkDone(std::int64_t number, std::string_view request_sha256) {
  At(number) = {HashOf(request_sha256), FormerState::kDone};
  held_.erase(number);
}

void FormerRun::Forget(std::int64_t number) {
  At(number) = {};
  held_.erase(number);
}

Expected<FormerState> FormerRun::StateOf(std::int64_t number, std::string_view request_sha256) const {
  const auto piece = pieces_.find((number - 1) / kPieceLines);
  if (piece == pieces_.end()) return FormerState::kNew;
  const Entry& entry = piece->second[static_cast<std::size_t>((number - 1) % kPieceLines)];
  if (entry.state != FormerState::kNew && entry.hash != HashOf(request_sha256)) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("line {} has changed since it was run: restore it, or start afresh with another "
                            "--output",
                            number));
  }
  return entry.state;
}

std::optional<HeldLine> FormerRun::Held(std::int64_t number) const {
  const auto found = held_.find(number);
  return found == held_.end() ? std::nullopt : std::optional(found->second);
}

void FormerRun::ForgetBegun() {
  for (auto& [first, piece] : pieces_) {
    for (Entry& entry : piece) {
      if (entry.state == FormerState::kBegun) entry = {};
    }
  }
}

}  // namespace casemate
