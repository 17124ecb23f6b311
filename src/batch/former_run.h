#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "casemate/error.h"
#include "casemate/status.h"

namespace casemate {

// What is known of one line of a job file from a run of it that ended early.
enum class FormerState : std::uint8_t {
  kNew,    // never begun
  kBegun,  // begun, and no result of it is known
  kHeld,   // ended, with its result in the journal but not yet in the output
  kDone,   // its result is in the output
};

// Where the journal has the result line of an item that ended.
struct HeldLine {
  std::int64_t offset = 0;
  std::int64_t size = 0;
  Status status = Status::kFailed;
};

// What a former run of a job file has done, by line number (from 1): nine bytes a line.
class FormerRun {
 public:
  void MarkBegun(std::int64_t number, std::string_view request_sha256);
  // Of a line that has begun; any other stays as it is.
  void MarkHeld(std::int64_t number, const HeldLine& line);
  void MarkDone(std::int64_t number, std::string_view request_sha256);
  // Forgets that the line was begun, so that it runs again.
  void Forget(std::int64_t number);

  // kInvalidRequest when line `number` was another request then.
  Expected<FormerState> StateOf(std::int64_t number, std::string_view request_sha256) const;

  // The last line with a state; 0 for none.
  std::int64_t last_number() const { return last_number_; }

  // Of a kHeld line; nullopt of another.
  std::optional<HeldLine> Held(std::int64_t number) const;

  // Makes every kBegun line kNew.
  void ForgetBegun();

 private:
  struct [[gnu::packed]] Entry {
    std::uint64_t hash = 0;  // the first 64 bits
    FormerState state = FormerState::kNew;
  };
  // In pieces, so that a line number from a damaged file costs no more than a piece.
  static constexpr std::int64_t kPieceLines = 4096;
  using Piece = std::array<Entry, kPieceLines>;
  Entry& At(std::int64_t number);

  std::map<std::int64_t, Piece> pieces_;
  std::int64_t last_number_ = 0;
  std::map<std::int64_t, HeldLine> held_;
};

}  // namespace casemate
