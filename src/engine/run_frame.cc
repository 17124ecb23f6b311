#include "engine/run_frame.h"

#include <sys/random.h>

#include <array>

#include "base/sha256.h"

namespace casemate {

std::string MakeRunId() {
  std::array<unsigned char, 8> bytes{};
  (void)!getrandom(bytes.data(), bytes.size(), 0);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id = "run-";
  for (const unsigned char byte : bytes) {
    id += kDigits[byte >> 4U];
    id += kDigits[byte & 15U];
  }
  return id;
}

std::string HashProgram(const ExecutionRequest& request) {
  if (request.code) return Sha256Hex(*request.code);
  std::string words;
  for (const std::string& word : request.command) words += word + '\0';
  return Sha256Hex(words);
}

void EmitEnd(EventSink& sink, const CleanResult& clean) {
  const ExecutionResult& result = clean.get();
  if (result.result) sink.OnEvent(ResultEvent{&*result.result});
  if (result.error) sink.OnEvent(ErrorEvent{&*result.error});
  sink.OnEvent(FinishedEvent{&result});
}

}  // namespace casemate
