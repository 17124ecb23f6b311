#include "surfaces/audit/audit_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <vector>

#include "audit/record.h"
#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate {
namespace {

constexpr std::size_t kHashShown = 12;
constexpr std::string_view kRow = "{:<27}  {:<20}  {:<14}  {:<14}  {:<8}  {:>7}  {:>9}  {}\n";

Colour ColourOf(std::string_view status) {
  if (status == "ok") return Colour::kGreen;
  return status == "error" || status == "open" ? Colour::kYellow : Colour::kRed;
}

std::string Shown(const boost::json::value& value) {
  return EscapeForTerminal(value.is_string() ? std::string(std::string_view(value.get_string()))
                                             : boost::json::serialize(value));
}

void AppendMembers(std::string& text, const boost::json::object& object, std::size_t indent,
                   const Style& style) {
  for (const auto& [key, value] : object) {
    const std::string name = EscapeForTerminal(key);
    if (value.is_object()) {
      text += fmt::format("{:{}}{}\n", "", indent, style.Paint(Colour::kDim, name));
      AppendMembers(text, value.get_object(), indent + 2, style);
    } else {
      text += fmt::format("{:{}}{} {}\n", "", indent, style.Paint(Colour::kDim, fmt::format("{:<18}", name)),
                          Shown(value));
    }
  }
}

std::vector<std::pair<std::string, std::int64_t>> Largest(const std::map<std::string, std::int64_t>& counts,
                                                          std::size_t max) {
  std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
  std::ranges::sort(sorted, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (sorted.size() > max) sorted.resize(max);
  return sorted;
}

std::string_view SeverityName(AuditFinding::Severity severity) {
  return severity == AuditFinding::Severity::kBroken ? "broken" : "note";
}

}  // namespace

std::string ListHead() {
  return fmt::format(fmt::runtime(kRow), "STARTED", "ID", "STATUS", "CALLER", "SURFACE", "DENIALS", "TOOK",
                     "CODE");
}

std::string ListLine(const AuditRun& run, const Style& style) {
  const std::string took =
      run.ended_us ? fmt::format("{:.1f} ms", static_cast<double>(*run.ended_us - run.started_us) / 1000.0)
                   : "";
  return fmt::format(fmt::runtime(kRow), audit::FormatTime(run.started_us), EscapeForTerminal(run.id),
                     style.Paint(ColourOf(run.status), fmt::format("{:<14}", EscapeForTerminal(run.status))),
                     EscapeForTerminal(run.caller), EscapeForTerminal(run.surface), run.denials, took,
                     EscapeForTerminal(run.code_sha256.substr(0, kHashShown)));
}

std::string TailLine(std::string_view record, const Style& style) {
  const auto value = ParseBoundedValue(record, {.bytes_max = audit::kRecordBytesMax});
  if (!value || !value->is_object()) return style.Paint(Colour::kRed, "a line that is no record") + "\n";
  const auto& object = value->get_object();
  const auto text = [&object](std::string_view key) {
    const auto* found = FindString(object, key);
    return found != nullptr ? EscapeForTerminal(std::string_view(*found)) : std::string();
  };
  std::string what = text("status");
  if (!what.empty()) what = style.Paint(ColourOf(what), what);
  if (what.empty()) what = text("caller");
  if (what.empty()) what = text("found");
  return fmt::format("{}  {:>8}  {:<10}  {:<20}  {}\n", text("time"), FindInt(object, "seq").value_or(0),
                     text("kind"), text("id"), what);
}

std::string RecordText(std::string_view record, const Style& style) {
  const auto value = ParseBoundedValue(record, {.bytes_max = audit::kRecordBytesMax});
  if (!value || !value->is_object()) return "a line that is no record\n";
  std::string text;
  AppendMembers(text, value->get_object(), 0, style);
  return text;
}

std::string SinkLine(const audit::SinkState& state, std::int64_t lag) {
  std::string line =
      fmt::format("{}  at record {}, {} behind, {} sent, {} lost, {} shortened, last {}",
                  EscapeForTerminal(state.target), state.seq, lag, state.sent, state.lost, state.shortened,
                  state.last_sent_us > 0 ? audit::FormatTime(state.last_sent_us) : "never");
  if (!state.trouble.empty()) line += "\n    waits: " + EscapeForTerminal(state.trouble);
  return line + "\n";
}

std::string SinkJson(const std::string& name, const audit::SinkState& state, std::int64_t lag) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("name", name);
  writer.Field("target", state.target);
  writer.Field("seq", state.seq);
  writer.Field("lag", lag);
  writer.Field("sent", state.sent);
  writer.Field("lost", state.lost);
  writer.Field("shortened", state.shortened);
  writer.Field("failures", state.failures);
  writer.Field("last_sent_us", state.last_sent_us);
  writer.Field("trouble", state.trouble);
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

std::string VerdictText(const AuditVerdict& verdict, const Style& style) {
  std::string text;
  for (const AuditFinding& finding : verdict.findings) {
    const bool broken = finding.severity == AuditFinding::Severity::kBroken;
    const std::string place =
        finding.segment.empty() ? "" : fmt::format(" ({}, byte {})", finding.segment, finding.offset);
    text +=
        fmt::format("{} {}{}\n",
                    style.Paint(broken ? Colour::kRed : Colour::kYellow, fmt::format("{:<14}", finding.kind)),
                    finding.message, place);
  }
  text += fmt::format("{} records, {} to {}; {} checkpoints hold, up to record {}\n", verdict.records,
                      verdict.first_seq, verdict.last_seq, verdict.checkpoints, verdict.signed_seq);
  text += fmt::format("ends with {}:{}\n", verdict.last_seq, verdict.last_hash);
  text += verdict.intact ? style.Paint(Colour::kGreen, "the chain holds")
                         : style.Paint(Colour::kRed, "the chain is broken");
  return text + "\n";
}

std::string VerdictJson(const AuditVerdict& verdict) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("intact", verdict.intact);
  writer.Field("records", verdict.records);
  writer.Field("first_seq", verdict.first_seq);
  writer.Field("last_seq", verdict.last_seq);
  writer.Field("last_hash", verdict.last_hash);
  writer.Field("checkpoints", verdict.checkpoints);
  writer.Field("signed_seq", verdict.signed_seq);
  writer.Key("findings");
  writer.BeginArray();
  for (const AuditFinding& finding : verdict.findings) {
    writer.BeginObject();
    writer.Field("severity", SeverityName(finding.severity));
    writer.Field("kind", finding.kind);
    writer.Field("segment", finding.segment);
    writer.Field("offset", finding.offset);
    writer.Field("seq", finding.seq);
    writer.Field("message", finding.message);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

void AuditCounts::Add(const AuditRun& run) {
  ++runs_;
  denials_ += run.denials;
  ++statuses_[run.status];
  ++callers_[run.caller];
  ++surfaces_[run.surface];
  ++programs_[run.code_sha256];
  if (run.ended_us) durations_.Add(static_cast<double>(*run.ended_us - run.started_us));
}

std::string AuditCounts::Text(const Style& style) const {
  constexpr std::size_t kShown = 10;
  std::string text =
      fmt::format("{} runs, {} different programs, {} denials\n", runs_, programs_.size(), denials_);
  const auto add = [&](std::string_view title, const Counts& counts) {
    if (counts.empty()) return;
    text += style.Paint(Colour::kBold, title) + "\n";
    for (const auto& [name, count] : Largest(counts, kShown)) {
      text += fmt::format("  {:<20}  {:>10}  {:5.1f} %\n", EscapeForTerminal(name.substr(0, 20)), count,
                          100.0 * static_cast<double>(count) / static_cast<double>(runs_));
    }
  };
  add("status", statuses_);
  add("caller", callers_);
  add("surface", surfaces_);
  add("program", programs_);
  if (durations_.size() > 0) {
    text += style.Paint(Colour::kBold, "from intent to outcome") + "\n";
    for (const Percentile& percentile : AllPercentiles()) {
      text +=
          fmt::format("  {:<20}  {:>10.1f} ms\n", percentile.name, durations_.At(percentile.share) / 1000.0);
    }
  }
  return text;
}

std::string RetentionText(const audit::RetentionState& retention, const Style& style) {
  if (retention.trouble.empty()) return "";
  return style.Paint(Colour::kRed, fmt::format("the log is not kept within its bounds, at last at {}: {}",
                                               audit::FormatTime(retention.last_failure_us),
                                               EscapeForTerminal(retention.trouble))) +
         "\n";
}

std::string AuditCounts::Json(const audit::RetentionState& retention) const {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("runs", runs_);
  writer.Field("programs", programs_.size());
  writer.Field("denials", denials_);
  const auto add = [&writer](std::string_view name, const Counts& counts) {
    writer.Key(name);
    writer.BeginObject();
    for (const auto& [key, count] : counts) writer.Field(key, count);
    writer.EndObject();
  };
  add("by_status", statuses_);
  add("by_caller", callers_);
  add("by_surface", surfaces_);
  writer.Key("retention");
  writer.BeginObject();
  writer.Field("pruned_segments", retention.pruned_segments);
  writer.Field("failures", retention.failures);
  writer.Field("trouble", retention.trouble);
  writer.EndObject();
  writer.Key("duration_us");
  writer.BeginObject();
  for (const Percentile& percentile : AllPercentiles()) {
    writer.Field(percentile.name, durations_.At(percentile.share));
  }
  writer.EndObject();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

}  // namespace casemate
