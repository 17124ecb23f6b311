#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/json.h"
#include "model/json_writer.h"
#include "model/result_json.h"
#include "policy/checks/report_json.h"
#include "surfaces/mcp/tools.h"

namespace casemate::embedded {
std::string_view ToolFiles(std::string_view path);
}  // namespace casemate::embedded

namespace casemate::mcp {
namespace {

constexpr std::array<std::string_view, 4> kPictures = {"image/png", "image/jpeg", "image/gif", "image/webp"};

void WriteTextBlock(JsonWriter& writer, std::string_view text) {
  writer.BeginObject();
  writer.Field("type", "text");
  writer.Field("text", text);
  writer.EndObject();
}

bool WritePicture(JsonWriter& writer, const Display& display) {
  for (const std::string_view mime : kPictures) {
    const auto data = display.data.find(std::string(mime));
    if (data == display.data.end()) continue;
    writer.BeginObject();
    writer.Field("type", "image");
    writer.Field("data", data->second);
    writer.Field("mimeType", mime);
    writer.EndObject();
    return true;
  }
  return false;
}

void AppendPart(std::string& text, std::string_view title, std::string_view part) {
  if (part.empty()) return;
  if (!text.empty()) text += text.ends_with('\n') ? "" : "\n";
  text += title;
  text += part;
}

// What a person or a model reads: the program's own output first, then what is to be known besides.
std::string ReadableText(const ExecutionResult& result) {
  std::string text;
  if (result.status != Status::kOk) text = fmt::format("status: {}\n", StatusName(result.status));
  if (result.exit_code.value_or(0) != 0) text += fmt::format("exit code: {}\n", *result.exit_code);
  AppendPart(text, "", result.stdout_text);
  AppendPart(text, "stderr:\n", result.stderr_text);
  if (result.result) AppendPart(text, "result: ", result.result->text());
  for (const Display& display : result.displays) {
    const bool picture = std::ranges::any_of(
        kPictures, [&](std::string_view mime) { return display.data.contains(std::string(mime)); });
    const auto plain = display.data.find("text/plain");
    if (!picture && plain != display.data.end()) AppendPart(text, "display: ", plain->second);
  }
  if (result.error) {
    // A traceback is on stderr as well.
    AppendPart(text, "error: ", fmt::format("{}: {}", result.error->type, result.error->message));
    AppendPart(text, "hint: ", result.error->hint);
  }
  for (const Finding& finding : result.findings) {
    AppendPart(text, "", fmt::format("line {}: {}: {}", finding.line, finding.reason, finding.remedy));
  }
  for (const Denial& denial : result.denials) {
    AppendPart(text, "refused: ", fmt::format("{} {}: {}", denial.kind, denial.what, denial.remedy));
  }
  if (result.session && !result.session->ended_because.empty()) {
    AppendPart(text, "the session has ended: ", result.session->ended_because);
  }
  for (const OutputFile& file : result.files) {
    AppendPart(text, "file: ", fmt::format("{} ({} bytes)", file.name, file.size_bytes));
  }
  if (text.empty()) text = "It ended without output.";
  return text;
}

}  // namespace

const std::string& ToolDefinitions() {
  // On one line, as a message must be.
  static const std::string kText = ParseJson(embedded::ToolFiles("profiles/tools/tools.json")).value().text();
  return kText;
}

std::string RunAnswer(const ExecutionResult& result) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("content");
  writer.BeginArray();
  WriteTextBlock(writer, ReadableText(result));
  for (const Display& display : result.displays) WritePicture(writer, display);
  writer.EndArray();
  writer.Key("structuredContent");
  WriteResult(writer, result);
  writer.Field("isError", result.status != Status::kOk);
  writer.EndObject();
  return std::move(writer).Take();
}

std::string CheckAnswer(const CheckReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) {
    AppendPart(text, "",
               fmt::format("{}:{}: {}: {} [{}]: {}", finding.line, finding.column,
                           SeverityName(finding.severity), finding.reason, finding.rule, finding.remedy));
  }
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("content");
  writer.BeginArray();
  WriteTextBlock(writer, text.empty() ? "Nothing was found." : text);
  writer.EndArray();
  writer.Key("structuredContent");
  writer.BeginObject();
  WriteCheckReport(writer, report);
  writer.EndObject();
  writer.Field("isError", false);
  writer.EndObject();
  return std::move(writer).Take();
}

std::string SessionAnswer(const SessionInfo& session) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("content");
  writer.BeginArray();
  WriteTextBlock(writer, fmt::format("session_id: {}", session.id));
  writer.EndArray();
  writer.Key("structuredContent");
  writer.BeginObject();
  writer.Field("session_id", session.id);
  writer.EndObject();
  writer.Field("isError", false);
  writer.EndObject();
  return std::move(writer).Take();
}

std::string EndAnswer() {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("content");
  writer.BeginArray();
  WriteTextBlock(writer, "The session has ended.");
  writer.EndArray();
  writer.Field("isError", false);
  writer.EndObject();
  return std::move(writer).Take();
}

std::string RefusalAnswer(std::string_view message) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("content");
  writer.BeginArray();
  WriteTextBlock(writer, message);
  writer.EndArray();
  writer.Field("isError", true);
  writer.EndObject();
  return std::move(writer).Take();
}

}  // namespace casemate::mcp
