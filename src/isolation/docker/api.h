#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "casemate/error.h"
#include "isolation/docker/place.h"

namespace casemate::docker {

struct Reply {
  int status = 0;
  std::string body;
  bool ok() const { return status >= 200 && status < 300; }
  // The engine's own words: "message" of the body.
  std::string message() const;
};

// The value at `path` of a JSON text: a string's content, any other value's text; "" when it is not there.
std::string JsonAt(std::string_view json, std::initializer_list<std::string_view> path);

// The Docker Engine API over HTTP/1.1, one connection a call. Thread-safe. Every call ends at its deadline:
// kUnavailable when the engine does not answer by then, breaks off, or is too old; an answer that is no 2xx
// is a Reply, for the caller to judge.
class Api {
 public:
  explicit Api(Place place) : place_(std::move(place)) {}

  const Place& place() const { return place_; }

  // Agrees on a version of the API; to be called before the others. What `GET /version` said.
  Expected<std::string> Negotiate();
  const std::string& version() const { return version_; }

  // `target` without the version.
  Expected<Reply> Call(std::string_view method, std::string_view target, std::string_view body = {},
                       std::int64_t timeout_ms = kTimeoutMs) const;

  // A body of unknown length: `write` is called once, and calls its argument with each piece.
  using Sink = std::function<Expected<void>(std::string_view piece)>;
  using Source = std::function<Expected<void>(const Sink& sink)>;
  Expected<Reply> Upload(std::string_view target, const Source& write, std::int64_t timeout_ms) const;

  // POST to `target`, then the raw connection in both directions, and what has come on it already.
  struct Stream {
    UniqueFd fd;
    std::string early;
  };
  Expected<Stream> Hijack(std::string_view target) const;

  static constexpr std::int64_t kTimeoutMs = 10'000;

 private:
  std::unexpected<Error> Silent(std::string_view what, std::string_view cause) const;
  Expected<UniqueFd> Open(std::string_view head, std::string_view body, const Deadline& deadline) const;
  Expected<Reply> Read(int fd, std::string_view what, const Deadline& deadline) const;
  std::string Head(std::string_view method, std::string_view target) const;

  Place place_;
  std::string version_;
};

}  // namespace casemate::docker
