#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "model/base64.h"
#include "model/json.h"
#include "model/result_json.h"

namespace casemate {
namespace {

using Done = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

template <typename T, typename Place>
Done Put(Expected<T> value, Place& place) {
  if (!value) return std::unexpected(std::move(value.error()));
  place = *std::move(value);
  return {};
}

// One member of the object that describes a T.
template <typename T>
struct Reader {
  std::string_view name;
  Done (*read)(const JsonField&, T&);
};

template <auto kMember, typename T>
Done ReadText(const JsonField& field, T& object) {
  return Put(field.String(), object.*kMember);
}
template <auto kMember, typename T>
Done ReadInt(const JsonField& field, T& object) {
  return Put(field.Int(), object.*kMember);
}
template <auto kMember, typename T>
Done ReadBool(const JsonField& field, T& object) {
  return Put(field.Bool(), object.*kMember);
}
// null leaves it unset.
template <auto kMember, typename T>
Done ReadSmallInt(const JsonField& field, T& object) {
  if (field.is_null()) return {};
  const auto value = field.Int();
  if (!value) return std::unexpected(value.error());
  object.*kMember = static_cast<int>(*value);
  return {};
}

template <typename T, std::size_t N>
Done ReadObject(const JsonField& field, const std::array<Reader<T>, N>& readers, T& object) {
  return field.ForEachMember([&](const std::string& key, const JsonField& value) -> Done {
    const auto row = std::ranges::find(readers, key, &Reader<T>::name);
    return row == readers.end() ? Done() : row->read(value, object);
  });
}

template <typename T, std::size_t N>
Expected<T> ReadNew(const JsonField& field, const std::array<Reader<T>, N>& readers) {
  T object;
  if (auto done = ReadObject(field, readers, object); !done) return std::unexpected(std::move(done.error()));
  return object;
}

// A list of what `read` gives.
template <typename T>
Done ReadList(const JsonField& field, Expected<T> (*read)(const JsonField&), std::vector<T>& list) {
  return field.ForEachElement(
      [&](const JsonField& element) -> Done { return Put(read(element), list.emplace_back()); });
}

constexpr std::array kTruncatedFields = {
    Reader<Truncated>{"stdout", ReadBool<&Truncated::stdout_cut>},
    Reader<Truncated>{"stderr", ReadBool<&Truncated::stderr_cut>},
    Reader<Truncated>{"displays", ReadBool<&Truncated::displays_cut>},
    Reader<Truncated>{"files", ReadBool<&Truncated::files_cut>},
};
constexpr std::array kErrorFields = {
    Reader<ProgramError>{"type", ReadText<&ProgramError::type>},
    Reader<ProgramError>{"message", ReadText<&ProgramError::message>},
    Reader<ProgramError>{"traceback", ReadText<&ProgramError::traceback>},
    Reader<ProgramError>{"hint", ReadText<&ProgramError::hint>},
};
constexpr std::array kDenialFields = {
    Reader<Denial>{"kind", ReadText<&Denial::kind>},
    Reader<Denial>{"what", ReadText<&Denial::what>},
    Reader<Denial>{"count", ReadInt<&Denial::count>},
    Reader<Denial>{"remedy", ReadText<&Denial::remedy>},
};
constexpr std::array kAttemptFields = {
    Reader<NetworkAttempt>{"destination", ReadText<&NetworkAttempt::destination>},
    Reader<NetworkAttempt>{"address", ReadText<&NetworkAttempt::address>},
    Reader<NetworkAttempt>{"allowed", ReadBool<&NetworkAttempt::allowed>},
    Reader<NetworkAttempt>{"reason", ReadText<&NetworkAttempt::reason>},
    Reader<NetworkAttempt>{"count", ReadInt<&NetworkAttempt::count>},
    Reader<NetworkAttempt>{"bytes_sent", ReadInt<&NetworkAttempt::bytes_sent>},
    Reader<NetworkAttempt>{"bytes_received", ReadInt<&NetworkAttempt::bytes_received>},
};
Expected<NetworkAttempt> ReadAttempt(const JsonField& field) { return ReadNew(field, kAttemptFields); }
constexpr std::array kRedactionFields = {
    Reader<Redaction>{"rule", ReadText<&Redaction::rule>},
    Reader<Redaction>{"where", ReadText<&Redaction::where>},
    Reader<Redaction>{"count", ReadInt<&Redaction::count>},
    Reader<Redaction>{"offset", ReadInt<&Redaction::offset>},
};
Done ReadSeverity(const JsonField& field, Finding& finding) {
  const auto name = field.String();
  if (!name) return std::unexpected(name.error());
  const auto severity = ParseSeverity(*name);
  if (!severity) return Refuse(fmt::format("\"{}\" names no severity", field.name()));
  finding.severity = *severity;
  return {};
}
constexpr std::array kFindingFields = {
    Reader<Finding>{"rule", ReadText<&Finding::rule>},
    Reader<Finding>{"severity", ReadSeverity},
    Reader<Finding>{"line", ReadInt<&Finding::line>},
    Reader<Finding>{"column", ReadInt<&Finding::column>},
    Reader<Finding>{"snippet", ReadText<&Finding::snippet>},
    Reader<Finding>{"reason", ReadText<&Finding::reason>},
    Reader<Finding>{"remedy", ReadText<&Finding::remedy>},
};
constexpr std::array kUsageFields = {
    Reader<Usage>{"wall_ms", ReadInt<&Usage::wall_ms>},
    Reader<Usage>{"cpu_ms", ReadInt<&Usage::cpu_ms>},
    Reader<Usage>{"memory_peak_bytes", ReadInt<&Usage::memory_peak_bytes>},
    Reader<Usage>{"processes_peak", ReadInt<&Usage::processes_peak>},
    Reader<Usage>{"tmp_peak_bytes", ReadInt<&Usage::tmp_peak_bytes>},
    Reader<Usage>{"stdout_bytes", ReadInt<&Usage::stdout_bytes>},
    Reader<Usage>{"stderr_bytes", ReadInt<&Usage::stderr_bytes>},
};
constexpr std::array kTimingFields = {
    Reader<Timing>{"step", ReadText<&Timing::step>},
    Reader<Timing>{"microseconds", ReadInt<&Timing::microseconds>},
};
constexpr std::array kEnforcedFields = {
    Reader<Enforced>{"guarantee", ReadText<&Enforced::guarantee>},
    Reader<Enforced>{"mechanism", ReadText<&Enforced::mechanism>},
};
constexpr std::array kNotEnforcedFields = {
    Reader<NotEnforced>{"guarantee", ReadText<&NotEnforced::guarantee>},
    Reader<NotEnforced>{"reason", ReadText<&NotEnforced::reason>},
    Reader<NotEnforced>{"fallback", ReadText<&NotEnforced::fallback>},
    Reader<NotEnforced>{"remedy", ReadText<&NotEnforced::remedy>},
};

Expected<OutputFile> ReadFile(const JsonField& field) {
  constexpr std::array kFields = {
      Reader<OutputFile>{"name", ReadText<&OutputFile::name>},
      Reader<OutputFile>{"size_bytes", ReadInt<&OutputFile::size_bytes>},
      Reader<OutputFile>{"content_base64", ReadText<&OutputFile::bytes>},
      Reader<OutputFile>{"truncated", ReadBool<&OutputFile::truncated>},
  };
  auto file = ReadNew(field, kFields);
  if (!file) return file;
  auto bytes = DecodeBase64(file->bytes);
  if (!bytes) return Refuse(fmt::format("\"{}.content_base64\" is not base64", field.name()));
  file->bytes = *std::move(bytes);
  return file;
}

Expected<Finding> ReadFinding(const JsonField& field) { return ReadNew(field, kFindingFields); }
Expected<Timing> ReadTiming(const JsonField& field) { return ReadNew(field, kTimingFields); }
Expected<Enforced> ReadEnforced(const JsonField& field) { return ReadNew(field, kEnforcedFields); }
Expected<NotEnforced> ReadNotEnforced(const JsonField& field) { return ReadNew(field, kNotEnforcedFields); }

Done ReadChecks(const JsonField& field, ExecutionResult& result) {
  const auto name = field.String();
  if (!name) return std::unexpected(name.error());
  const auto mode = ParseChecksMode(*name);
  if (!mode) return Refuse(fmt::format("\"{}\" names no way of checking", field.name()));
  result.checks = *mode;
  return {};
}

template <typename T>
Done ReadTier(const JsonField& field, T& holder) {
  const auto name = field.String();
  if (!name) return std::unexpected(name.error());
  const auto tier = ParseTier(*name);
  if (!tier) return Refuse(fmt::format("\"{}\" names no tier", field.name()));
  holder.tier = *tier;
  return {};
}

Expected<PassedOver> ReadPassedOver(const JsonField& field) {
  constexpr std::array kFields = {
      Reader<PassedOver>{"tier", ReadTier<PassedOver>},
      Reader<PassedOver>{"reason", ReadText<&PassedOver::reason>},
  };
  return ReadNew(field, kFields);
}

constexpr std::array kEnforcementFields = {
    Reader<EnforcementReport>{"tier", ReadTier<EnforcementReport>},
    Reader<EnforcementReport>{
        "enforced",
        [](const JsonField& f, EnforcementReport& r) { return ReadList(f, ReadEnforced, r.enforced); }},
    Reader<EnforcementReport>{"not_enforced",
                              [](const JsonField& f, EnforcementReport& r) {
                                return ReadList(f, ReadNotEnforced, r.not_enforced);
                              }},
    Reader<EnforcementReport>{
        "passed_over",
        [](const JsonField& f, EnforcementReport& r) { return ReadList(f, ReadPassedOver, r.passed_over); }},
};

Expected<Redaction> ReadRedaction(const JsonField& field) { return ReadNew(field, kRedactionFields); }

Done ReadStatus(const JsonField& field, ExecutionResult& result) {
  const auto name = field.String();
  if (!name) return std::unexpected(name.error());
  const auto status = ParseStatus(*name);
  if (!status) return Refuse(fmt::format("\"{}\" names no status", field.name()));
  result.status = *status;
  return {};
}

Done ReadValue(const JsonField& field, ExecutionResult& result) {
  if (field.is_null()) return {};
  const std::string_view text = field.text();
  auto value = ParseJson(text, {text.size(), kJsonDepthCeiling});
  if (!value) return Refuse(fmt::format("\"{}\" is not JSON: {}", field.name(), value.error().message));
  result.result = *std::move(value);
  return {};
}

Done ReadErrorOrNull(const JsonField& field, ExecutionResult& result) {
  return field.is_null() ? Done() : Put(ReadError(field), result.error);
}

using Result = ExecutionResult;
constexpr std::array kResultFields = {
    Reader<Result>{"id", ReadText<&Result::id>},
    Reader<Result>{"status", ReadStatus},
    Reader<Result>{"exit_code", ReadSmallInt<&Result::exit_code>},
    Reader<Result>{"signal", ReadSmallInt<&Result::signal>},
    Reader<Result>{"stdout", ReadText<&Result::stdout_text>},
    Reader<Result>{"stderr", ReadText<&Result::stderr_text>},
    Reader<Result>{"truncated", [](const JsonField& f,
                                   Result& r) { return ReadObject(f, kTruncatedFields, r.truncated); }},
    Reader<Result>{"result", ReadValue},
    Reader<Result>{"displays",
                   [](const JsonField& f, Result& r) { return ReadList(f, ReadDisplay, r.displays); }},
    Reader<Result>{"files", [](const JsonField& f, Result& r) { return ReadList(f, ReadFile, r.files); }},
    Reader<Result>{"error", ReadErrorOrNull},
    Reader<Result>{"network",
                   [](const JsonField& f, Result& r) { return ReadList(f, ReadAttempt, r.network); }},
    Reader<Result>{"denials",
                   [](const JsonField& f, Result& r) { return ReadList(f, ReadDenial, r.denials); }},
    Reader<Result>{"redactions",
                   [](const JsonField& f, Result& r) { return ReadList(f, ReadRedaction, r.redactions); }},
    Reader<Result>{"checks", ReadChecks},
    Reader<Result>{"findings",
                   [](const JsonField& f, Result& r) { return ReadList(f, ReadFinding, r.findings); }},
    Reader<Result>{"usage",
                   [](const JsonField& f, Result& r) { return ReadObject(f, kUsageFields, r.usage); }},
    Reader<Result>{"timings",
                   [](const JsonField& f, Result& r) { return ReadList(f, ReadTiming, r.timings); }},
    Reader<Result>{"isolation", [](const JsonField& f,
                                   Result& r) { return ReadObject(f, kEnforcementFields, r.isolation); }},
    Reader<Result>{"policy", ReadText<&Result::policy>},
    Reader<Result>{"environment", ReadText<&Result::environment>},
    Reader<Result>{"code_sha256", ReadText<&Result::code_sha256>},
};

}  // namespace

Expected<Display> ReadDisplay(const JsonField& field) {
  Display display;
  if (auto done = Put(field.StringMap(), display.data); !done)
    return std::unexpected(std::move(done.error()));
  return display;
}

Expected<ProgramError> ReadError(const JsonField& field) { return ReadNew(field, kErrorFields); }

Expected<Denial> ReadDenial(const JsonField& field) { return ReadNew(field, kDenialFields); }

Expected<ExecutionResult> ReadResult(const JsonField& field) {
  ExecutionResult result;
  bool has_id = false;
  bool has_status = false;
  auto done = field.ForEachMember([&](const std::string& key, const JsonField& value) -> Done {
    const auto row = std::ranges::find(kResultFields, key, &Reader<Result>::name);
    if (row == kResultFields.end()) return {};
    has_id = has_id || key == "id";
    has_status = has_status || key == "status";
    return row->read(value, result);
  });
  if (!done) return std::unexpected(std::move(done.error()));
  if (!has_id || !has_status) return Refuse("this is no result object: it needs \"id\" and \"status\"");
  return result;
}

Expected<ExecutionResult> DecodeResult(std::string_view text) {
  const auto json = ParseJson(text, {text.size(), kJsonDepthCeiling});
  if (!json) return Refuse(fmt::format("the result is not JSON: {}", json.error().message));
  const JsonTape tape(*json);
  return ReadResult(JsonField(tape, JsonTape::kRoot, ""));
}

}  // namespace casemate
