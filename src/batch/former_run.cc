#include "batch/former_run.h"

#include <fmt/format.h>

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
  const auto index = static_cast<std::size_t>(number - 1);
  if (index >= lines_.size()) lines_.resize(index + 1);
  return lines_[index];
}

void FormerRun::MarkBegun(std::int64_t number, std::string_view request_sha256) {
  At(number) = {HashOf(request_sha256), FormerState::kBegun};
}

void FormerRun::MarkHeld(std::int64_t number, const HeldLine& line) {
  Entry& entry = At(number);
  if (entry.state != FormerState::kBegun) return;
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
  if (number > last_number()) return FormerState::kNew;
  const Entry& entry = lines_[static_cast<std::size_t>(number - 1)];
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
  for (Entry& entry : lines_) {
    if (entry.state == FormerState::kBegun) entry = {};
  }
}

}  // namespace casemate
