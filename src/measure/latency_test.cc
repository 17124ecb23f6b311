#include "measure/latency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

TEST(LatenciesTest, OfNothing) {
  const Latencies none;
  EXPECT_EQ(none.size(), 0U);
  EXPECT_EQ(none.At(0.5), 0);
  EXPECT_EQ(none.Mean(), 0);
  EXPECT_TRUE(none.Histogram(4, 10).empty());
}

TEST(LatenciesTest, PercentilesAreNearestRanks) {
  Latencies times;
  for (int i = 100; i >= 1; --i) times.Add(i);
  EXPECT_EQ(times.Min(), 1);
  EXPECT_EQ(times.At(0.5), 50);
  EXPECT_EQ(times.At(0.9), 90);
  EXPECT_EQ(times.At(0.99), 99);
  EXPECT_EQ(times.At(0.999), 100);
  EXPECT_EQ(times.Max(), 100);
  EXPECT_DOUBLE_EQ(times.Mean(), 50.5);
  times.Add(0);  // once sorted, still right after more
  EXPECT_EQ(times.Min(), 0);
  EXPECT_EQ(times.At(0.5), 50);
}

TEST(LatenciesTest, OfOneIsItEverywhere) {
  Latencies times;
  times.Add(7);
  for (const Percentile& percentile : AllPercentiles()) EXPECT_EQ(times.At(percentile.share), 7);
  const auto buckets = times.Histogram(4, 10);
  ASSERT_EQ(buckets.size(), 1U);
  EXPECT_LE(buckets[0].from_us, 7);
  EXPECT_GT(buckets[0].below_us, 7);
}

TEST(LatenciesTest, PercentilesAscend) {
  double before = 0;
  for (const Percentile& percentile : AllPercentiles()) {
    EXPECT_GT(percentile.share, before);
    before = percentile.share;
  }
}

TEST(LatenciesTest, BothSetsTogether) {
  Latencies one;
  Latencies two;
  one.Add(10);
  two.Add(5);
  two.Add(20);
  one.Add(two);
  EXPECT_EQ(one.size(), 3U);
  EXPECT_EQ(one.At(0.5), 10);
}

// Each time is in the one bucket that its edges say, and the buckets touch.
TEST(LatenciesTest, HistogramHoldsEveryTimeOnce) {
  Latencies times;
  constexpr std::int64_t kAdded = 400;
  double us = 0.01;
  for (std::int64_t i = 0; i < kAdded; ++i) {
    times.Add(us);
    us *= 1.05;
  }
  for (const std::size_t buckets_max : {1U, 2U, 7U, 24U, 1000U}) {
    const auto buckets = times.Histogram(4, buckets_max);
    ASSERT_FALSE(buckets.empty());
    EXPECT_LE(buckets.size(), buckets_max);
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      sum += buckets[i].count;
      EXPECT_LT(buckets[i].from_us, buckets[i].below_us);
      if (i > 0) {
        EXPECT_NEAR(buckets[i].from_us / buckets[i - 1].below_us, 1, 1e-9);
      }
    }
    EXPECT_EQ(sum, kAdded);
    EXPECT_GT(buckets.front().count, 0);
    EXPECT_GT(buckets.back().count, 0);
    EXPECT_GT(buckets.back().below_us, times.Max());
  }
}

TEST(LatenciesTest, HistogramCountsByFactor) {
  Latencies times;
  for (const double us : {100.0, 101.0, 127.0, 128.0, 255.0, 256.0, 1000.0}) times.Add(us);
  const auto buckets = times.Histogram(1, 10);  // 64..128, 128..256, 256..512, 512..1024
  ASSERT_EQ(buckets.size(), 4U);
  EXPECT_DOUBLE_EQ(buckets[0].from_us, 64);
  EXPECT_EQ(buckets[0].count, 3);
  EXPECT_EQ(buckets[1].count, 2);
  EXPECT_EQ(buckets[2].count, 1);
  EXPECT_EQ(buckets[3].count, 1);
}

}  // namespace
}  // namespace casemate
