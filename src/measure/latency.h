#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace casemate {

// The percentiles that are told of a set of times.
struct Percentile {
  std::string_view name;  // "p50"
  double share;           // 0.5
};
std::span<const Percentile> AllPercentiles();  // p50, p75, p90, p95, p99, p999, ascending

// One bar: times of at least `from_us` and less than `below_us`.
struct Bucket {
  double from_us = 0;
  double below_us = 0;
  std::int64_t count = 0;
};

// A set of times in microseconds. Every one is kept (eight bytes), so that percentiles are exact. Not
// thread-safe.
class Latencies {
 public:
  void Add(double microseconds);
  void Add(const Latencies& others);

  std::size_t size() const { return times_.size(); }

  // The smallest time that at least `share` (0 to 1) of all times do not exceed (nearest rank); 0 of none.
  double At(double share) const;
  double Min() const { return At(0); }
  double Max() const { return At(1); }
  double Mean() const;

  // Buckets whose edges grow by a constant factor, `per_doubling` of them to a factor of two, from the one
  // that holds the smallest time to the one that holds the largest; empty of none. When that would be more
  // than `buckets_max`, fewer and wider ones: 2, 4, 8... of them become one.
  std::vector<Bucket> Histogram(int per_doubling, std::size_t buckets_max) const;

 private:
  void Sort() const;

  mutable std::vector<double> times_;
  mutable bool sorted_ = true;
};

}  // namespace casemate
