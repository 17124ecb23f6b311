#include "engine/scrub.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "model/json.h"

namespace casemate {
namespace {

bool IsBinary(std::string_view mime) {
  if (mime.ends_with("+xml") || mime.ends_with("json")) return false;
  return mime.starts_with("image/") || mime.starts_with("audio/") || mime.starts_with("video/") ||
         mime == "application/pdf" || mime == "application/octet-stream";
}

std::string WithCommas(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

}  // namespace

Scrubber::Scrubber(std::unique_ptr<Redactor> redactor)
    : redactor_(std::move(redactor)), out_(redactor_->Stream("stdout")), err_(redactor_->Stream("stderr")) {}

Expected<std::unique_ptr<Scrubber>> Scrubber::Make(const ExecutionRequest& request,
                                                   std::shared_ptr<const KnownValues> known) {
  auto redactor = MakeArmedRedactor(
      {request.redact, request.redact_off, request.redact_rules, "redact_rules"}, std::move(known));
  if (!redactor) return std::unexpected(std::move(redactor.error()));
  return std::unique_ptr<Scrubber>(new Scrubber(*std::move(redactor)));
}

std::unique_ptr<Scrubber> Scrubber::MakePlain() {
  return std::unique_ptr<Scrubber>(new Scrubber(*MakeRedactor({}, {})));
}

std::string Scrubber::Text(std::string_view text, std::string_view where) {
  return text.empty() ? std::string() : redactor_->Text(text, where).text();
}

Display Scrubber::Clean(const Display& display) {
  Display clean;
  const std::string where = fmt::format("displays[{}]", displays_++);
  for (const auto& [mime, data] : display.data) {
    if (IsBinary(mime)) {
      clean.data[mime] = data;
      continue;
    }
    if (mime.ends_with("json")) {
      if (const auto json = ParseJson(data, {data.size(), kJsonDepthCeiling})) {
        clean.data[mime] = redactor_->Json(*json, where).json().text();
        continue;
      }
    }
    clean.data[mime] = Text(data, where);
  }
  return clean;
}

Denial Scrubber::Clean(const Denial& denial) {
  return {denial.kind, Text(denial.what, "denials"), denial.count, denial.remedy};
}

void Scrubber::CleanError(ExecutionResult& result) {
  if (!result.error) return;
  ProgramError& error = *result.error;
  for (std::string* text : {&error.type, &error.message, &error.traceback, &error.hint})
    *text = Text(*text, "error");
}

void Scrubber::Finish(const ExecutionRequest& request, std::size_t denials_done, ExecutionResult& result) {
  if (result.result) result.result = redactor_->Json(*result.result, "result").json();
  for (std::size_t i = denials_done; i < result.denials.size(); ++i)
    result.denials[i] = Clean(result.denials[i]);
  for (OutputFile& file : result.files) {
    file.name = Text(file.name, "files");
    if (!request.redact_files) continue;
    file.bytes = Text(file.bytes, file.name);
    if (!file.truncated) file.size_bytes = static_cast<std::int64_t>(file.bytes.size());
  }
}

CleanResult Scrubber::Release(ExecutionResult& result) {
  CleanError(result);
  for (Finding& finding : result.findings) {
    for (std::string* text : {&finding.snippet, &finding.reason}) *text = Text(*text, "findings");
  }
  result.redactions = redactor_->Redactions();
  return CleanResult(result);
}

std::string TruncationNote(std::int64_t bytes, std::int64_t bytes_max) {
  return fmt::format("\n[output truncated: {} bytes, first {} shown]\n", WithCommas(bytes),
                     WithCommas(bytes_max));
}

}  // namespace casemate
