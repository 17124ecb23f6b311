#include "engine/run_frame.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>

#include "base/sha256.h"

namespace casemate {

std::string MakeRunId() {
  std::array<unsigned char, 8> bytes{};
  (void)!getrandom(bytes.data(), bytes.size(), 0);
  std::string id = "run-";
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
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
