#include "metrics/exposition.h"

#include <fmt/format.h>

#include <algorithm>

namespace casemate {
namespace {

// The text format's escapes of a label's value.
std::string Escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

void Exposition::Family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Exposition::Sample(const Labels& labels, double value, std::string_view suffix) {
  text_ += name_;
  text_ += suffix;
  std::string inside;
  for (const auto& [name, text] : labels) {
    inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", name, Escaped(text));
  }
  if (!inside.empty()) text_ += "{" + inside + "}";
  text_ += fmt::format(" {}\n", value);
}

void Histogram::Observe(double value) {
  const auto at = std::ranges::lower_bound(edges_, value);
  ++counts_[static_cast<std::size_t>(at - edges_.begin())];
  sum_ += value;
}

void Histogram::Write(Exposition& out, const Labels& labels) const {
  Labels with_edge = labels;
  with_edge.emplace_back("le", "");
  std::int64_t count = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    count += counts_[i];
    with_edge.back().second = i < edges_.size() ? fmt::format("{}", edges_[i]) : "+Inf";
    out.Sample(with_edge, static_cast<double>(count), "_bucket");
  }
  out.Sample(labels, sum_, "_sum");
  out.Sample(labels, static_cast<double>(count), "_count");
}

}  // namespace casemate
