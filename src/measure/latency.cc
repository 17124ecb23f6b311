#include "measure/latency.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace casemate {
namespace {

constexpr std::array kPercentiles = {
    Percentile{"p50", 0.5},  Percentile{"p75", 0.75}, Percentile{"p90", 0.9},
    Percentile{"p95", 0.95}, Percentile{"p99", 0.99}, Percentile{"p999", 0.999},
};

// Below it a clock of microseconds tells nothing; so all logarithms are positive, and wider buckets fewer.
constexpr double kSmallestUs = 1;

}  // namespace

std::span<const Percentile> AllPercentiles() { return kPercentiles; }

void Latencies::Add(double microseconds) {
  sorted_ = sorted_ && (times_.empty() || times_.back() <= microseconds);
  times_.push_back(microseconds);
}

void Latencies::Add(const Latencies& others) {
  times_.insert(times_.end(), others.times_.begin(), others.times_.end());
  sorted_ = false;
}

void Latencies::Sort() const {
  if (sorted_) return;
  std::ranges::sort(times_);
  sorted_ = true;
}

double Latencies::At(double share) const {
  if (times_.empty()) return 0;
  Sort();
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(times_.size())));
  return times_[std::clamp<std::size_t>(rank, 1, times_.size()) - 1];
}

double Latencies::Mean() const {
  if (times_.empty()) return 0;
  return std::accumulate(times_.begin(), times_.end(), 0.0) / static_cast<double>(times_.size());
}

std::vector<Bucket> Latencies::Histogram(int per_doubling, std::size_t buckets_max) const {
  if (times_.empty() || buckets_max == 0) return {};
  Sort();
  double per = per_doubling;
  const auto index_of = [&per](double us) {
    return static_cast<std::int64_t>(std::floor(std::log2(std::max(us, kSmallestUs)) * per));
  };
  const auto span = [&] { return index_of(times_.back()) - index_of(times_.front()); };
  while (span() >= static_cast<std::int64_t>(buckets_max)) per /= 2;

  const std::int64_t first = index_of(times_.front());
  std::vector<Bucket> buckets(static_cast<std::size_t>(span()) + 1);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const auto place = static_cast<double>(first) + static_cast<double>(i);
    buckets[i].from_us = std::exp2(place / per);
    buckets[i].below_us = std::exp2((place + 1) / per);
  }
  buckets[0].from_us = std::min(buckets[0].from_us, times_.front());
  for (const double us : times_) ++buckets[static_cast<std::size_t>(index_of(us) - first)].count;
  return buckets;
}

}  // namespace casemate
