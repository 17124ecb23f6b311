#include "surfaces/http/tool_routes.h"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>

#include "casemate/redactor.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/json_writer.h"
#include "model/result_json.h"
#include "policy/checks/code_checker.h"
#include "policy/checks/report_json.h"

namespace casemate::http {
namespace {

// The members of the object that a body is, each handed to `take`.
Expected<void> ReadBody(std::string_view body, const JsonField::Visit& take) {
  const auto json = ParseJson(body);
  if (!json) return Fail(ErrorCode::kInvalidRequest, "the request is not JSON: " + json.error().message);
  const JsonTape tape(*json);
  return JsonField(tape, JsonTape::kRoot, "request").ForEachMember(take);
}

Expected<void> TakeString(const JsonField& value, std::string& to) {
  auto text = value.String();
  if (!text) return std::unexpected(text.error());
  to = *std::move(text);
  return {};
}

Expected<void> TakeStrings(const JsonField& value, std::vector<std::string>& to) {
  auto texts = value.Strings();
  if (!texts) return std::unexpected(texts.error());
  to = *std::move(texts);
  return {};
}

std::unexpected<Error> Unknown(const std::string& name, std::string_view known) {
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("there is no field \"{}\": known are {}", name.substr(0, 100), known));
}

Answer JsonAnswer(JsonWriter writer) {
  Answer answer;
  answer.body = std::move(writer).Take() + "\n";
  return answer;
}

Expected<Answer> Check(const Request& asked) {
  ChecksPolicy policy;
  std::string code;
  bool given = false;
  auto read = ReadBody(asked.body, [&](const std::string& name, const JsonField& value) -> Expected<void> {
    if (name == "code") {
      given = true;
      return TakeString(value, code);
    }
    if (name == "allowed_packages") {
      auto packages = value.Strings();
      if (!packages) return std::unexpected(packages.error());
      policy.allowed_packages = *std::move(packages);
      return {};
    }
    if (name != "complexity") return Unknown(name, "code, allowed_packages and complexity");
    return value.ForEachMember([&policy](const std::string& limit, const JsonField& most) -> Expected<void> {
      const auto number = most.Int();
      if (!number) return std::unexpected(number.error());
      policy.complexity[limit] = *number;
      return {};
    });
  });
  if (!read) return std::unexpected(read.error());
  if (!given) return Fail(ErrorCode::kInvalidRequest, "\"code\" is missing: give the program's text");
  const auto checker = CodeChecker::Make(std::move(policy));
  if (!checker) return std::unexpected(checker.error());
  const CheckReport report = checker->Check(code);
  JsonWriter writer;
  writer.BeginObject();
  WriteCheckReport(writer, report);
  writer.EndObject();
  return JsonAnswer(std::move(writer));
}

Expected<Answer> Redact(const Request& asked) {
  RedactionRules rules;
  rules.own_name = "redact_rules";
  std::string text;
  bool given = false;
  auto read = ReadBody(asked.body, [&](const std::string& name, const JsonField& value) -> Expected<void> {
    if (name == "redact") return TakeString(value, rules.sets);
    if (name == "redact_rules") return TakeString(value, rules.own_toml);
    if (name == "redact_off") return TakeStrings(value, rules.off);
    if (name != "text") return Unknown(name, "text, redact, redact_off and redact_rules");
    given = true;
    return TakeString(value, text);
  });
  if (!read) return std::unexpected(read.error());
  if (!given) return Fail(ErrorCode::kInvalidRequest, "\"text\" is missing: give the text to clean");
  auto redactor = MakeRedactor(rules, {});
  if (!redactor) return std::unexpected(redactor.error());
  const auto stream = (*redactor)->Stream("text");
  RedactedBytes clean;
  stream->Feed(text, clean);
  stream->Finish(clean);
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("text", clean.text());
  writer.Key("redactions");
  writer.BeginArray();
  for (const Redaction& each : (*redactor)->Redactions()) {
    writer.BeginObject();
    writer.Field("rule", each.rule);
    writer.Field("where", each.where);
    writer.Field("count", each.count);
    writer.Field("offset", each.offset);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return JsonAnswer(std::move(writer));
}

RouteHandler Answering(Expected<Answer> (*make)(const Request&)) {
  return [make](const Request& asked, Reply& reply) {
    const auto answer = make(asked);
    reply.Send(answer ? *answer : ErrorAnswer(answer.error()));
  };
}

}  // namespace

std::vector<Route> ToolRoutes() {
  return {
      {"POST", "/v1/checks", Scope::kChecks, Answering(Check)},
      {"POST", "/v1/redact", Scope::kRedact, Answering(Redact)},
  };
}

}  // namespace casemate::http
