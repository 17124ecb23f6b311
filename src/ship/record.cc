#include <algorithm>
#include <array>

#include "audit/export_record.h"
#include "audit/record.h"
#include "model/json_value.h"
#include "ship/sink.h"

namespace casemate::ship {

std::string_view Record::Text(std::string_view key) const {
  const auto* text = FindString(fields, key);
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

bool Record::is_warning() const {
  constexpr std::array<std::string_view, 4> kCalm = {"intent", "log", "checkpoint", "prune"};
  const std::string_view kind = Text("kind");
  if (kind != "outcome") return std::ranges::find(kCalm, kind) == kCalm.end();
  const std::string_view status = Text("status");
  return fields.contains("denials") || (status != "ok" && status != "error");
}

std::optional<Record> ReadRecord(std::string_view line) {
  const auto seal = audit::ReadSeal(line);
  if (!seal) return std::nullopt;
  Record record;
  auto text = audit::ExportRecord(line);
  if (!text) return std::nullopt;
  record.line = *std::move(text);
  auto value = ParseBoundedValue(record.line, {.bytes_max = audit::kRecordBytesMax});
  if (!value || !value->is_object()) return std::nullopt;
  record.fields = std::move(value->get_object());
  record.seq = seal->seq;
  record.time_us = audit::ParseTime(record.Text("time")).value_or(0);
  return record;
}

}  // namespace casemate::ship
