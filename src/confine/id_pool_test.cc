#include "confine/id_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/file.h"

namespace casemate {
namespace {

struct SubordinateCase {
  const char* name;
  const char* subuid;
  const char* subgid;
  uid_t first;
  uid_t count;
};

class FindSubordinateRangeTest : public testing::TestWithParam<SubordinateCase> {};

TEST_P(FindSubordinateRangeTest, TakesTheRangeThatBothFilesGive) {
  const IdRange range = FindSubordinateRange(GetParam().subuid, GetParam().subgid, "ann", 1001);
  EXPECT_EQ(range.count, GetParam().count);
  EXPECT_EQ(range.first, GetParam().first);
}

INSTANTIATE_TEST_SUITE_P(
    Tables, FindSubordinateRangeTest,
    testing::Values(
        SubordinateCase{"ByName", "bob:1:9\nann:100000:65536\n", "ann:100000:65536\n", 100'000, 65'536},
        SubordinateCase{"ByNumber", "1001:100000:65536", "1001:100000:65536", 100'000, 65'536},
        SubordinateCase{"TheCommonPart", "ann:1000:100\n", "ann:1050:100\n", 1050, 50},
        SubordinateCase{"TheLargest", "ann:1000:10\nann:5000:500\n", "ann:1000:10\nann:5000:500\n", 5000,
                        500},
        SubordinateCase{"NothingInCommon", "ann:1000:10\n", "ann:2000:10\n", 0, 0},
        SubordinateCase{"OnlyUsers", "ann:1000:10\n", "", 0, 0},
        SubordinateCase{"OneIdIsTooFew", "ann:1000:1\n", "ann:1000:1\n", 0, 0},
        SubordinateCase{"AnotherUsersNameThatBeginsTheSame", "anna:1000:10\n", "anna:1000:10\n", 0, 0},
        SubordinateCase{"NoNumbers", "ann:x:y\nann\nann:\n:::\n", "ann:1:2\n", 0, 0},
        SubordinateCase{"Negative", "ann:-5:10\n", "ann:-5:10\n", 0, 0},
        SubordinateCase{"LargerThan32Bits", "ann:1:99999999999\n", "ann:1:99999999999\n", 0, 0},
        SubordinateCase{"PastTheEnd", "ann:4294967290:100\n", "ann:4294967290:100\n", 0, 0},
        SubordinateCase{"Empty", "", "", 0, 0}),
    [](const auto& param) { return param.param.name; });

TEST(FindMappedRangeTest, TakesTheUnusedIdsOfAFullMap) {
  const IdRange range = FindMappedRange("         0          0 4294967295\n");
  EXPECT_EQ(range.first, 0x70000000U);
  EXPECT_GT(range.count, 2U);
}

TEST(FindMappedRangeTest, TakesTheEndOfTheLargestExtent) {
  const IdRange one = FindMappedRange("0 100000 65536\n");
  EXPECT_EQ(one.first + one.count, 65'536U);
  EXPECT_GE(one.count, 2000U);
  // In either order, whatever was cut off the first.
  for (const char* map : {"0 100000 65536\n70000 300000 40000\n", "70000 300000 40000\n0 100000 65536\n"}) {
    const IdRange range = FindMappedRange(map);
    EXPECT_EQ(range.first + range.count, 65'536U) << map;
  }
}

TEST(FindMappedRangeTest, StaysInsideOfTheMap) {
  const IdRange range = FindMappedRange("4294900000 0 67296\n");
  EXPECT_GE(range.first, 4'294'900'000U);
  EXPECT_LE(std::uint64_t{range.first} + range.count, 4'294'900'000ULL + 67'296);
}

TEST(FindMappedRangeTest, FindsNothingWhereThereIsLittle) {
  for (const char* map : {"", "1000 1000 1\n", "0 1000 1\n1 100000 999\n", "nonsense\n", "0 0\n", "0 0 -1\n",
                          "4294959267 295 10000\n"}) {
    EXPECT_EQ(FindMappedRange(map).count, 0U) << map;
  }
}

TEST(FindIdSourceTest, HasIdsOrSaysWhyNot) {
  const IdSource source = FindIdSource();
  if (source.kind == IdSource::Kind::kSingle) {
    EXPECT_NE(source.why_not, "");
    EXPECT_NE(source.remedy, "");
  } else {
    EXPECT_GE(source.range.count, 2U);
  }
}

class LeaseIdsTest : public testing::Test {
 protected:
  LeaseIdsTest() {
    std::string name = testing::TempDir() + "/id-pool-XXXXXX";
    folder_ = mkdtemp(name.data());
    source_.kind = IdSource::Kind::kDirect;
    source_.range = {100'000, 5};  // two pairs, and one id over
  }
  ~LeaseIdsTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  IdSource source_;
};

TEST_F(LeaseIdsTest, GivesEachPairOnceAndTakesItBack) {
  std::optional<IdLease> first = LeaseIds(source_, folder_).value();
  const IdLease second = LeaseIds(source_, folder_).value();
  EXPECT_THAT((std::vector<uid_t>{first->base(), second.base()}),
              testing::UnorderedElementsAre(100'000U, 100'002U));
  const auto third = LeaseIds(source_, folder_);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(third.error().message, testing::HasSubstr("all 2 pairs"));
  const uid_t freed = first->base();
  first.reset();
  const auto again = LeaseIds(source_, folder_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->base(), freed);
}

TEST_F(LeaseIdsTest, FollowsNoLinkInThePlaceOfItsFile) {
  std::filesystem::create_symlink(folder_ + "/elsewhere", folder_ + "/ids.lock");
  EXPECT_FALSE(LeaseIds(source_, folder_));
  EXPECT_FALSE(FileExists(folder_ + "/elsewhere"));
}

TEST_F(LeaseIdsTest, NeedsNoFileForTheCallersOwnId) {
  EXPECT_TRUE(LeaseIds(IdSource{}, folder_ + "/missing"));
  EXPECT_FALSE(LeaseIds(source_, folder_ + "/missing"));
}

}  // namespace
}  // namespace casemate
