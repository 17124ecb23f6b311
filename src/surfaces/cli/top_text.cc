#include "surfaces/cli/top_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <vector>

namespace casemate {
namespace {

double ValueOf(const TopSample& sample, const std::string& key) {
  const auto found = sample.series.find(key);
  return found != sample.series.end() ? found->second : 0;
}

// The value of `label` in "name{...}"; names and values of ours have no quotes in them.
std::string LabelOf(std::string_view key, std::string_view label) {
  const std::string start = fmt::format("{}=\"", label);
  const std::size_t at = key.find(start);
  if (at == std::string_view::npos) return "";
  const std::size_t begin = at + start.size();
  return std::string(key.substr(begin, key.find('"', begin) - begin));
}

class Screen {
 public:
  Screen(const TopSample& before, const TopSample& now, const Style& style)
      : before_(before),
        now_(now),
        style_(style),
        seconds_(static_cast<double>(now.at_us - before.at_us) / 1e6) {}

  std::string Text() {
    const double runs = RateOf("casemate_runs_total");
    text_ =
        fmt::format("casemate {}   {}   {:.0f} running   {:.1f} runs/s\n", Version(),
                    fmt::format("engine {:.0f} % CPU, {:.0f} MiB", 100 * RateOf("process_cpu_seconds_total"),
                                ValueOf(now_, "process_resident_memory_bytes") / 1048576),
                    ValueOf(now_, "casemate_runs_running"), runs);
    text_ += fmt::format("from request to result  p50 {}  p95 {}  p99 {}\n\n", Quantile(0.5), Quantile(0.95),
                         Quantile(0.99));
    Table("STATUS", "casemate_runs_total", "status");
    Table("TIER", "casemate_runs_total", "tier");
    Table("SURFACE", "casemate_runs_total", "surface");
    Table("DENIAL", "casemate_denials_total", "kind");
    Table("LIMIT", "casemate_limits_hit_total", "limit");
    Pools();
    return std::move(text_);
  }

 private:
  using Sums = std::map<std::string, std::pair<double, double>>;  // total, rate

  void Each(std::string_view name,
            const std::function<void(const std::string&, double, double)>& visit) const {
    for (auto at = now_.series.lower_bound(name); at != now_.series.end() && at->first.starts_with(name);
         ++at) {
      if (at->first.size() > name.size() && at->first[name.size()] != '{') continue;
      visit(at->first, at->second, std::max(0.0, at->second - ValueOf(before_, at->first)));
    }
  }
  double RateOf(std::string_view name) const {
    double sum = 0;
    Each(name, [&sum](const std::string&, double, double grown) { sum += grown; });
    return seconds_ > 0 ? sum / seconds_ : 0;
  }
  std::string Version() const {
    std::string version;
    Each("casemate_build_info",
         [&version](const std::string& key, double, double) { version = LabelOf(key, "version"); });
    return EscapeForTerminal(version);
  }

  // The upper edge of the bucket in which the quantile of what ended between the looks is.
  std::string Quantile(double share) const {
    std::map<double, double> buckets;
    Each("casemate_run_duration_seconds_bucket", [&](const std::string& key, double, double grown) {
      const std::string edge = LabelOf(key, "le");
      buckets[edge == "+Inf" ? std::numeric_limits<double>::infinity()
                             : std::strtod(edge.c_str(), nullptr)] += grown;
    });
    if (buckets.empty() || buckets.rbegin()->second <= 0) return "-";
    const auto at = std::ranges::find_if(
        buckets, [&](const auto& bucket) { return bucket.second >= share * buckets.rbegin()->second; });
    return at->first < 1 ? fmt::format("≤ {:g} ms", at->first * 1000) : fmt::format("≤ {:g} s", at->first);
  }

  void Table(std::string_view title, std::string_view name, std::string_view label) {
    Sums sums;
    Each(name, [&](const std::string& key, double value, double grown) {
      auto& [total, rate] = sums[LabelOf(key, label)];
      total += value;
      rate += seconds_ > 0 ? grown / seconds_ : 0;
    });
    if (sums.empty()) return;
    text_ +=
        style_.Paint(Colour::kDim, fmt::format("{:<16} {:>10} {:>10}", title, "TOTAL", "PER SECOND")) + "\n";
    for (const auto& [value, sum] : sums) {
      text_ += fmt::format("{:<16} {:>10.0f} {:>10.1f}\n", EscapeForTerminal(value), sum.first, sum.second);
    }
    text_ += '\n';
  }

  void Pools() {
    Each("casemate_pool_cells_max", [&](const std::string& key, double most, double) {
      const std::string environment = LabelOf(key, "environment");
      const auto cells = [&](std::string_view state) {
        return ValueOf(
            now_, fmt::format("casemate_pool_cells{{environment=\"{}\",state=\"{}\"}}", environment, state));
      };
      text_ += fmt::format("pool {:<11} {:.0f} of {:.0f} cells ready, {:.0f} running\n",
                           EscapeForTerminal(environment), cells("ready"), most, cells("running"));
    });
  }

  const TopSample& before_;
  const TopSample& now_;
  const Style& style_;
  const double seconds_;
  std::string text_;
};

}  // namespace

TopSample ReadMetrics(std::string_view text, std::int64_t at_us) {
  TopSample sample;
  sample.at_us = at_us;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t space = line.rfind(' ');
    if (line.starts_with('#') || space == std::string_view::npos) continue;
    double value = 0;
    const auto [end, error] = std::from_chars(line.data() + space + 1, line.data() + line.size(), value);
    if (error == std::errc() && end == line.data() + line.size())
      sample.series[std::string(line.substr(0, space))] = value;
  }
  return sample;
}

std::string TopText(const TopSample& before, const TopSample& now, const Style& style) {
  return Screen(before, now, style).Text();
}

}  // namespace casemate
