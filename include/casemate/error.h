#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace casemate {

// Whose fault it is, and so what the caller can do about it. A program's own misbehaviour is never an
// Error: it is a Status in an ExecutionResult.
enum class ErrorCode {
  kInvalidRequest,  // the caller's: fix the request and try again
  kNotFound,        // the caller's: a file, folder, profile or interpreter that is not there
  kUnavailable,     // the host's: a required guarantee or backend is missing; the message has the remedy
  kCancelled,       // the caller asked for it
  kInternal,        // ours: a system call failed where it should not have
};

// The stable name of `code`, as printed in JSON ("invalid_request", "not_found", ...).
std::string_view ErrorCodeName(ErrorCode code);

// A failure that the caller can act on: one sentence that says what happened and what to do.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one sentence with its remedy; no trailing newline
  std::string cause;    // the lower-level reason, for instance "mount /proc: EPERM"; may be empty

  // "message (cause)", or the message alone when there is no cause.
  std::string ToString() const;
};

template <typename T>
using Expected = std::expected<T, Error>;

// The usual way to return a failure: `return Fail(ErrorCode::kNotFound, "...")`.
inline std::unexpected<Error> Fail(ErrorCode code, std::string message, std::string cause = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(cause)});
}

}  // namespace casemate
