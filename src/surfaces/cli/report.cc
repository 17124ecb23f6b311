#include "surfaces/cli/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "model/json_writer.h"
#include "model/result_json.h"

namespace casemate {
namespace {

struct Mark {
  std::string_view sign;
  std::string_view name;  // in JSON
  Colour colour;
};

Mark MarkOf(HostFinding::State state) {
  switch (state) {
    case HostFinding::State::kOk:
      return {"✓", "ok", Colour::kGreen};
    case HostFinding::State::kWeak:
      return {"!", "weak", Colour::kYellow};
    case HostFinding::State::kMissing:
      return {"✗", "missing", Colour::kRed};
  }
  return {"?", "unknown", Colour::kDim};
}

struct Row {
  Mark mark;
  std::string name;
  std::string detail;
  std::string remedy;
};

std::string Table(std::string_view title, const std::vector<Row>& rows, const Style& style) {
  if (rows.empty()) return {};
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.name.size());
  std::string text = style.Paint(Colour::kBold, title) + "\n";
  for (const Row& row : rows) {
    text += fmt::format("  {} {:<{}}  {}\n", style.Paint(row.mark.colour, row.mark.sign), row.name, width,
                        EscapeForTerminal(row.detail));
    if (row.remedy.empty()) continue;
    text += fmt::format("    {:<{}}  {} {}\n", "", width, style.Paint(Colour::kDim, "remedy:"),
                        EscapeForTerminal(row.remedy));
  }
  return text + "\n";
}

std::string TierTitle(const TierFinding& tier) {
  const std::string name(TierName(tier.tier));
  return tier.runtime.empty() ? name : fmt::format("{} ({})", name, tier.runtime);
}

Row TierRow(const TierFinding& tier) {
  const bool full = tier.report.not_enforced.empty();
  const auto state = !tier.works ? HostFinding::State::kMissing
                     : full      ? HostFinding::State::kOk
                                 : HostFinding::State::kWeak;
  Row row{MarkOf(state), TierTitle(tier), tier.why_not, tier.remedy};
  if (!tier.works) return row;
  row.detail = fmt::format("works, and holds {} of {} guarantees", tier.report.enforced.size(),
                           tier.report.enforced.size() + tier.report.not_enforced.size());
  return row;
}

std::vector<Row> GapRows(const DoctorReport& report) {
  std::vector<Row> rows;
  for (const TierFinding& tier : report.tiers) {
    if (!tier.works) continue;
    for (const NotEnforced& gap : tier.report.not_enforced) {
      const std::string fallback = gap.fallback.empty() ? "nothing in its place" : "instead: " + gap.fallback;
      rows.push_back({MarkOf(HostFinding::State::kWeak),
                      fmt::format("{}: {}", TierTitle(tier), gap.guarantee),
                      fmt::format("{} ({})", gap.reason, fallback), gap.remedy});
    }
  }
  return rows;
}

void StringArray(JsonWriter& writer, std::string_view name, const std::vector<std::string>& values) {
  writer.Key(name);
  writer.BeginArray();
  for (const std::string& value : values) writer.String(value);
  writer.EndArray();
}

}  // namespace

std::string DoctorText(const DoctorReport& report, const Style& style) {
  std::vector<Row> host;
  for (const HostFinding& finding : report.findings) {
    host.push_back({MarkOf(finding.state), finding.mechanism, finding.detail, finding.remedy});
  }
  std::vector<Row> tiers;
  for (const TierFinding& tier : report.tiers) tiers.push_back(TierRow(tier));
  std::string text = Table("This host", host, style) + Table("Isolation tiers", tiers, style) +
                     Table("Guarantees that rest on less", GapRows(report), style);
  const std::string python = report.python.empty() ? "none: install python3 or name one with --python"
                                                   : fmt::format("{} ({}, in {})", report.python,
                                                                 report.python_version, report.python_prefix);
  text += fmt::format("{}\n  python  {}\n  state   {}\n\n", style.Paint(Colour::kBold, "In use"),
                      EscapeForTerminal(python), EscapeForTerminal(report.state_dir));
  return text +
         (report.healthy ? style.Paint(Colour::kGreen, "The default tier holds all its guarantees.")
                         : style.Paint(Colour::kRed, "The default tier does not hold all its guarantees.")) +
         "\n";
}

std::string DoctorJson(const DoctorReport& report) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("healthy", report.healthy);
  writer.Key("findings");
  writer.BeginArray();
  for (const HostFinding& finding : report.findings) {
    writer.BeginObject();
    writer.Field("mechanism", finding.mechanism);
    writer.Field("state", MarkOf(finding.state).name);
    writer.Field("detail", finding.detail);
    writer.Field("remedy", finding.remedy);
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("tiers");
  writer.BeginArray();
  for (const TierFinding& tier : report.tiers) {
    writer.BeginObject();
    writer.Field("tier", TierName(tier.tier));
    if (!tier.runtime.empty()) writer.Field("runtime", tier.runtime);
    writer.Field("works", tier.works);
    writer.Field("why_not", tier.why_not);
    writer.Field("remedy", tier.remedy);
    writer.Key("isolation");
    WriteEnforcement(writer, tier.report);
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("python");
  writer.BeginObject();
  writer.Field("path", report.python);
  writer.Field("version", report.python_version);
  writer.Field("prefix", report.python_prefix);
  writer.EndObject();
  writer.Field("state_dir", report.state_dir);
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

std::string GarbageText(const GarbageReport& report, const Style& style) {
  std::string text;
  for (const std::string& path : report.removed) {
    text += fmt::format("{} {}\n", style.Paint(Colour::kGreen, "removed"), EscapeForTerminal(path));
  }
  for (const std::string& path : report.kept) {
    text += fmt::format("{}    {}\n", style.Paint(Colour::kYellow, "kept"), EscapeForTerminal(path));
  }
  return text.empty() ? "nothing was left behind\n" : text;
}

std::string GarbageJson(const GarbageReport& report) {
  JsonWriter writer;
  writer.BeginObject();
  StringArray(writer, "removed", report.removed);
  StringArray(writer, "kept", report.kept);
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

}  // namespace casemate
