#include "surfaces/cli/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/json_writer.h"

namespace casemate {
namespace {

constexpr int kBucketsPerDoubling = 4;
constexpr std::size_t kBucketsShown = 24;
constexpr std::size_t kBucketsMax = 200;
constexpr double kBarCells = 50;
constexpr std::size_t kNameColumns = 18;
constexpr int kColumnWidth = 10;

double RateOf(const BenchReport& report) {
  return report.seconds > 0 ? static_cast<double>(report.times.runs) / report.seconds : 0;
}

// Three digits that count: "812 µs", "1.23 ms", "12.3 ms", "1.23 s".
std::string Time(double us, bool unicode) {
  if (us < 1000) return fmt::format("{:.0f} {}", us, unicode ? "µs" : "us");
  const auto digits = [](double value) { return value < 10 ? 2 : value < 100 ? 1 : 0; };
  if (us < 999'500) return fmt::format("{:.{}f} ms", us / 1000, digits(us / 1000));
  return fmt::format("{:.{}f} s", us / 1e6, digits(us / 1e6));
}

// fmt counts the columns of what it pads, not its bytes.
std::string Cell(double us, bool unicode) { return fmt::format("{:>{}}", Time(us, unicode), kColumnWidth); }

std::string TableRow(std::string_view name, const Latencies& times, bool unicode) {
  std::string row = fmt::format("{:<{}}", Shorten(EscapeForTerminal(name), kNameColumns - 1), kNameColumns);
  for (const double share : {0.5, 0.9, 0.99, 0.0, 1.0}) row += Cell(times.At(share), unicode);
  return row;
}

std::string Head(const BenchReport& report, const Style& style) {
  std::string statuses;
  for (const auto& [status, count] : report.times.by_status) {
    statuses += fmt::format("  {} {}", StatusName(status), count);
  }
  const std::string what = fmt::format("{} engine, {} client{}: {}", report.engine, report.clients,
                                       report.clients == 1 ? "" : "s", EscapeForTerminal(report.program));
  const std::string rate = fmt::format("{}/{}  {:.{}f}/s{}", report.times.runs, report.rounds, RateOf(report),
                                       RateOf(report) < 100 ? 1 : 0, statuses);
  return style.Paint(Colour::kBold, Shorten(what, style.columns - 1)) + "\n" +
         Shorten(rate, style.columns - 1) + "\n";
}

std::string Blocks(double cells, bool unicode) {
  constexpr std::array kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  std::string bar;
  const auto full = static_cast<std::size_t>(cells);
  for (std::size_t i = 0; i < full; ++i) bar += unicode ? "█" : "#";
  const auto part = static_cast<std::size_t>((cells - static_cast<double>(full)) * 8);
  if (unicode) bar += kEighths[part];
  // What happened once must not look like never.
  if (bar.empty() && cells > 0) bar = unicode ? "▏" : "#";
  return bar;
}

// Times to the nanosecond: more digits are noise of the arithmetic.
double Rounded(double us) { return std::round(us * 1000) / 1000; }

void WriteTimes(JsonWriter& writer, const Latencies& times) {
  writer.Field("count", times.size());
  writer.Field("min_us", Rounded(times.Min()));
  writer.Field("mean_us", Rounded(times.Mean()));
  writer.Field("max_us", Rounded(times.Max()));
  for (const Percentile& percentile : AllPercentiles()) {
    writer.Field(fmt::format("{}_us", percentile.name), Rounded(times.At(percentile.share)));
  }
  writer.Key("histogram");
  writer.BeginArray();
  for (const Bucket& bucket : times.Histogram(kBucketsPerDoubling, kBucketsMax)) {
    writer.BeginObject();
    writer.Field("from_us", Rounded(bucket.from_us));
    writer.Field("below_us", Rounded(bucket.below_us));
    writer.Field("count", bucket.count);
    writer.EndObject();
  }
  writer.EndArray();
}

}  // namespace

std::string BenchTable(const BenchReport& report, const Style& style, bool unicode) {
  std::string titles(kNameColumns, ' ');
  for (const char* title : {"p50", "p90", "p99", "min", "max"}) {
    titles += fmt::format("{:>{}}", title, kColumnWidth);
  }
  std::string text = Head(report, style) + style.Paint(Colour::kDim, titles) + "\n";
  text += style.Paint(Colour::kGreen, TableRow("whole run", report.times.whole, unicode)) + "\n";
  for (const StepTimes& step : report.times.steps) {
    text += TableRow(fmt::format("  {}", step.step), step.times, unicode) + "\n";
  }
  return text;
}

std::string BenchHistogram(const BenchReport& report, const Style& style, bool unicode) {
  const auto buckets = report.times.whole.Histogram(kBucketsPerDoubling, kBucketsShown);
  std::int64_t most = 0;
  for (const Bucket& bucket : buckets) most = std::max(most, bucket.count);
  std::string text;
  for (const Bucket& bucket : buckets) {
    const double cells = kBarCells * static_cast<double>(bucket.count) / static_cast<double>(most);
    const std::string bar = Blocks(cells, unicode);
    text += Cell(bucket.from_us, unicode) + (unicode ? " ┤" : " |") + style.Paint(Colour::kGreen, bar) +
            (bucket.count > 0 ? fmt::format(" {}", bucket.count) : "") + "\n";
  }
  return text;
}

std::string BenchJson(const BenchReport& report) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("engine", report.engine);
  writer.Field("program", report.program);
  writer.Field("rounds", report.rounds);
  writer.Field("runs", report.times.runs);
  writer.Field("clients", report.clients);
  writer.Field("seconds", report.seconds);
  writer.Field("rate", RateOf(report));
  writer.Key("statuses");
  writer.BeginObject();
  for (const auto& [status, count] : report.times.by_status) writer.Field(StatusName(status), count);
  writer.EndObject();
  writer.Key("whole");
  writer.BeginObject();
  WriteTimes(writer, report.times.whole);
  writer.EndObject();
  writer.Key("steps");
  writer.BeginArray();
  for (const StepTimes& step : report.times.steps) {
    writer.BeginObject();
    writer.Field("step", step.step);
    WriteTimes(writer, step.times);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

}  // namespace casemate
