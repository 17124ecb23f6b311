#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace casemate {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

// Writes metrics in Prometheus' text format 0.0.4: families one behind the other, each with its samples.
class Exposition {
 public:
  // `type` is "counter", "gauge" or "histogram". A name has its unit, and a counter's ends with "_total".
  void Family(std::string_view name, std::string_view type, std::string_view help);
  // A sample of the last family; `suffix` is "" or a histogram's "_bucket", "_sum", "_count".
  void Sample(const Labels& labels, double value, std::string_view suffix = "");

  std::string Take() && { return std::move(text_); }

 private:
  std::string text_;
  std::string name_;
};

// Counts of values in buckets with fixed upper edges, ascending. Not thread-safe.
class Histogram {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a list of edges is what it is made of
  Histogram(std::initializer_list<double> edges) : edges_(edges), counts_(edges.size() + 1) {}
  void Observe(double value);
  void Write(Exposition& out, const Labels& labels) const;

 private:
  std::vector<double> edges_;
  std::vector<std::int64_t> counts_;
  double sum_ = 0;
};

}  // namespace casemate
