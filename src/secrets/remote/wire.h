#pragma once

#include <cstddef>
#include <cstdint>

namespace casemate::secrets {

// Between casemate and its helper, on one machine, of one build. A question is one packet on a SOCK_SEQPACKET
// socket: a Question, the scheme, the place; with it comes a descriptor, a stream on which the answer is
// written: an Answer, its text, its cause.
struct Question {
  std::int64_t patience_ms = 0;
  std::uint32_t scheme_bytes = 0;
  std::uint32_t place_bytes = 0;
};
enum class AnswerKind : std::uint32_t {
  kValue,    // the text is the value
  kMissing,  // the text says what to do
  kError,    // the text is the message, and there may be a cause
};
struct Answer {
  AnswerKind kind = AnswerKind::kError;
  std::uint32_t error_code = 0;  // ErrorCode
  std::uint32_t text_bytes = 0;
  std::uint32_t cause_bytes = 0;
  std::int64_t ttl_ms = 0;
};

// The helper finds its socket there.
inline constexpr int kHelperSocketFd = 3;
inline constexpr std::size_t kQuestionBytesMax = 16 * std::size_t{1024};
// Of what is told of a failure.
inline constexpr std::size_t kTextBytesMax = 16 * std::size_t{1024};

}  // namespace casemate::secrets
