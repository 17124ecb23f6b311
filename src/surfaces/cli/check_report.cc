#include "surfaces/cli/check_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "model/json_writer.h"
#include "model/result_json.h"
#include "policy/checks/report_json.h"
#include "policy/checks/rules.h"

namespace casemate {
namespace {

std::string Plural(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// RFC 3986: a relative reference with the characters that a path may hold.
std::string ToUri(std::string_view path) {
  std::string uri;
  for (const char c : path) {
    const bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                       std::string_view("/-._~").contains(c);
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

void WriteText(JsonWriter& writer, std::string_view name, std::string_view text) {
  writer.Key(name);
  writer.BeginObject();
  writer.Field("text", text);
  writer.EndObject();
}

void WriteSarifResult(JsonWriter& writer, const std::string& uri, const Finding& finding) {
  writer.BeginObject();
  writer.Field("ruleId", finding.rule);
  writer.Field("level", SeverityName(finding.severity));
  WriteText(writer, "message", fmt::format("{}: {}", finding.reason, finding.remedy));
  writer.Key("locations");
  writer.BeginArray();
  writer.BeginObject();
  writer.Key("physicalLocation");
  writer.BeginObject();
  writer.Key("artifactLocation");
  writer.BeginObject();
  writer.Field("uri", uri);
  writer.EndObject();
  if (finding.line > 0) {
    writer.Key("region");
    writer.BeginObject();
    writer.Field("startLine", finding.line);
    writer.Field("startColumn", std::max<std::int64_t>(finding.column, 1));
    writer.EndObject();
  }
  writer.EndObject();
  writer.EndObject();
  writer.EndArray();
  writer.EndObject();
}

}  // namespace

std::string CheckText(const std::vector<CheckedFile>& files, const Style& style) {
  std::string text;
  std::size_t errors = 0;
  std::size_t warnings = 0;
  for (const CheckedFile& file : files) {
    for (const Finding& finding : file.report.findings) {
      const bool error = finding.severity == Severity::kError;
      ++(error ? errors : warnings);
      const std::string place = finding.line == 0 ? EscapeForTerminal(file.name)
                                                  : fmt::format("{}:{}:{}", EscapeForTerminal(file.name),
                                                                finding.line, finding.column);
      text += fmt::format("{}: {} {} [{}]\n", style.Paint(Colour::kBold, place),
                          style.Paint(error ? Colour::kRed : Colour::kYellow,
                                      fmt::format("{}:", SeverityName(finding.severity))),
                          EscapeForTerminal(finding.reason), finding.rule);
      if (!finding.snippet.empty()) text += fmt::format("    {}\n", EscapeForTerminal(finding.snippet));
      text += style.Paint(Colour::kDim, fmt::format("    = {}", EscapeForTerminal(finding.remedy))) + "\n";
    }
    if (file.report.cut) text += fmt::format("{}: there is more than this\n", EscapeForTerminal(file.name));
  }
  if (errors + warnings == 0) return text;
  return text + fmt::format("{}, {} in {}\n", Plural(errors, "error"), Plural(warnings, "warning"),
                            Plural(files.size(), "file"));
}

std::string CheckJson(const std::vector<CheckedFile>& files) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("refused",
               std::ranges::any_of(files, [](const CheckedFile& f) { return f.report.refused(); }));
  writer.Key("files");
  writer.BeginArray();
  for (const CheckedFile& file : files) {
    writer.BeginObject();
    writer.Field("name", ReplaceInvalidUtf8(file.name));
    WriteCheckReport(writer, file.report);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

std::string CheckSarif(const std::vector<CheckedFile>& files) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
  writer.Field("version", "2.1.0");
  writer.Key("runs");
  writer.BeginArray();
  writer.BeginObject();
  writer.Key("tool");
  writer.BeginObject();
  writer.Key("driver");
  writer.BeginObject();
  writer.Field("name", "casemate");
  writer.Field("version", CASEMATE_VERSION);
  writer.Key("rules");
  writer.BeginArray();
  for (const CheckRule& rule : CheckRules()) {
    writer.BeginObject();
    writer.Field("id", rule.id);
    WriteText(writer, "help", rule.remedy);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  writer.EndObject();
  // Columns are counted in bytes; SARIF has no name for that, and for ASCII all three are one.
  writer.Field("columnKind", "utf16CodeUnits");
  writer.Key("results");
  writer.BeginArray();
  for (const CheckedFile& file : files) {
    const std::string uri = ToUri(file.name);
    for (const Finding& finding : file.report.findings) WriteSarifResult(writer, uri, finding);
  }
  writer.EndArray();
  writer.EndObject();
  writer.EndArray();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

}  // namespace casemate
