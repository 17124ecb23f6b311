#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "audit/follow.h"
#include "audit/sink_state.h"
#include "base/unique_fd.h"
#include "casemate/error.h"
#include "ship/sink.h"
#include "ship/target.h"

namespace casemate::ship {

// Carries the log in one folder to one sink, in order, at least once: what was delivered is written down
// behind each batch. Nobody who appends ever waits for it. What is not there any more when its turn comes was
// pruned, and counts as lost. One thread.
class Shipper {
 public:
  // What a person should hear of; `bad` when records are lost or wait.
  using Tell = std::function<void(bool bad, const std::string& sentence)>;

  // kUnavailable when another process ships to this sink.
  static Expected<std::unique_ptr<Shipper>> Make(std::string folder, const Target& target,
                                                 std::unique_ptr<Sink> sink, Tell tell);

  enum class Step { kSent, kIdle, kWaiting };
  // One batch. Errors: the log cannot be read, or the state not be kept.
  Expected<Step> Next();
  // After kWaiting, until when nothing need be tried, from now.
  std::int64_t wait_ms() const { return wait_ms_; }
  const audit::SinkState& state() const { return state_; }

 private:
  Shipper(std::string folder, Target target, std::unique_ptr<Sink> sink, Tell tell, UniqueFd lock,
          audit::SinkState state);
  Expected<void> Fill();
  Expected<void> Keep();
  void Note(const Delivery& delivery);

  const std::string folder_;
  const Target target_;
  std::unique_ptr<Sink> sink_;
  const Tell tell_;
  const UniqueFd lock_;
  audit::SinkState state_;
  audit::Follower follower_;
  // Read and not yet over, each with the place behind it.
  struct Waiting {
    std::int64_t segment;
    std::int64_t offset;
  };
  std::vector<Record> records_;
  std::vector<Waiting> places_;
  std::int64_t read_seq_ = 0;
  std::int64_t wait_ms_ = 0;
};

}  // namespace casemate::ship
