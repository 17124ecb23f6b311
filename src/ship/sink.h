#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace casemate::ship {

// A record on its way, without what was kept of its program.
struct Record {
  std::string line;  // one JSON object without a newline
  boost::json::object fields;
  std::int64_t seq = 0;
  std::int64_t time_us = 0;  // since 1970

  std::string_view Text(std::string_view key) const;  // "" when there is none
  bool is_outcome() const { return Text("kind") == "outcome"; }
  // Whether a person should look at it: a run that did not end well, and what the log says of itself.
  bool is_warning() const;
};
// nullopt for what is no record.
std::optional<Record> ReadRecord(std::string_view line);

// What became of a batch. The first `done` records are over; the rest is to be sent again.
struct Delivery {
  std::size_t done = 0;
  std::size_t lost = 0;       // of them, refused for good
  std::size_t shortened = 0;  // of them, too large as they were
  // Why the rest must wait, and what was lost: one sentence with its remedy; "" when all is well.
  std::string trouble;
  std::int64_t retry_after_ms = 0;  // when the receiver named a time
};

// Where records go. One thread. Waits for its receiver, at most kSendMs for a batch.
inline constexpr std::int64_t kSendMs = 10'000;
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Delivery Send(std::span<const Record> records) = 0;
};

}  // namespace casemate::ship
