#include "engine/tiers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolation/fake/fake_backend.h"

namespace casemate {
namespace {

// Strongest first, as an engine has them; a tier in `refusing` admits nothing.
std::vector<std::unique_ptr<Backend>> Backends(const std::vector<Tier>& tiers,
                                               const std::vector<Tier>& refusing) {
  std::vector<std::unique_ptr<Backend>> backends;
  for (const Tier tier : tiers) {
    auto backend = std::make_unique<fake::FakeBackend>(fake::Script{}, tier);
    if (std::ranges::find(refusing, tier) != refusing.end()) {
      backend->admit_error =
          Error{ErrorCode::kUnavailable, std::string(TierName(tier)) + " is not ready", ""};
    }
    backends.push_back(std::move(backend));
  }
  return backends;
}

struct TierCase {
  std::string name;
  std::vector<Tier> tiers;
  std::vector<Tier> refusing;
  std::optional<Tier> isolation;
  std::optional<Tier> require;
  std::optional<Tier> chosen;
  ErrorCode code = ErrorCode::kUnavailable;
  std::string says;
};

class ChooseTierTest : public testing::TestWithParam<TierCase> {};

TEST_P(ChooseTierTest, TakesTheTableEntry) {
  const TierCase& c = GetParam();
  const auto backends = Backends(c.tiers, c.refusing);
  ExecutionRequest request;
  request.isolation = c.isolation;
  request.require = c.require;
  const auto admitted = ChooseTier(backends, request, Policy{});
  ASSERT_EQ(admitted.has_value(), c.chosen.has_value());
  if (admitted) {
    EXPECT_EQ(admitted->backend->tier(), *c.chosen);
    EXPECT_EQ(admitted->report.tier, *c.chosen);
  } else {
    EXPECT_EQ(admitted.error().code, c.code);
    EXPECT_THAT(admitted.error().message, testing::HasSubstr(c.says));
  }
}

constexpr auto kUnavailable = ErrorCode::kUnavailable;
using enum Tier;

INSTANTIATE_TEST_SUITE_P(
    Table, ChooseTierTest,
    testing::Values(
        TierCase{"TheStrongest", {kMicrovm, kContainer}, {}, {}, {}, kMicrovm, kUnavailable, ""},
        TierCase{"TheNextWhenItIsNotReady",
                 {kMicrovm, kContainer},
                 {kMicrovm},
                 {},
                 {},
                 kContainer,
                 kUnavailable,
                 ""},
        TierCase{"TheNamed", {kMicrovm, kContainer}, {}, kContainer, {}, kContainer, kUnavailable, ""},
        TierCase{"NoOtherThanTheNamed",
                 {kMicrovm, kContainer},
                 {kMicrovm},
                 kMicrovm,
                 {},
                 {},
                 kUnavailable,
                 "microvm is not ready"},
        TierCase{"NothingBelowTheFloor",
                 {kMicrovm, kContainer},
                 {kMicrovm},
                 {},
                 kGvisor,
                 {},
                 kUnavailable,
                 "microvm is not ready"},
        TierCase{"AboveTheFloor", {kMicrovm, kContainer}, {}, {}, kGvisor, kMicrovm, kUnavailable, ""},
        TierCase{"TheFloorItself", {kContainer}, {}, {}, kContainer, kContainer, kUnavailable, ""},
        TierCase{"NoneInThisBuild", {kContainer}, {}, kDocker, {}, {}, kUnavailable, "docker"},
        TierCase{"NoneAboveTheFloor", {kContainer}, {}, {}, kMicrovm, {}, kUnavailable, "microvm"},
        TierCase{"NamedBelowItsOwnFloor",
                 {kContainer},
                 {},
                 kContainer,
                 kMicrovm,
                 {},
                 ErrorCode::kInvalidRequest,
                 "below the required"},
        TierCase{"TheReasonOfTheStrongest",
                 {kMicrovm, kContainer},
                 {kMicrovm, kContainer},
                 {},
                 {},
                 {},
                 kUnavailable,
                 "microvm is not ready"},
        TierCase{"NotTheProcessTierUnasked",
                 {kContainer, kProcess},
                 {kContainer},
                 {},
                 {},
                 {},
                 kUnavailable,
                 "container is not ready; --require process"},
        TierCase{"TheProcessTierWhenItIsEnough",
                 {kContainer, kProcess},
                 {kContainer},
                 {},
                 kProcess,
                 kProcess,
                 kUnavailable,
                 ""},
        TierCase{"TheContainerWhenTheProcessTierWouldDo",
                 {kContainer, kProcess},
                 {},
                 {},
                 kProcess,
                 kContainer,
                 kUnavailable,
                 ""},
        TierCase{
            "TheProcessTierByName", {kContainer, kProcess}, {}, kProcess, {}, kProcess, kUnavailable, ""},
        TierCase{"NoBackendAtAll", {}, {}, {}, {}, {}, kUnavailable, "container"}),
    [](const auto& param) { return param.param.name; });

TEST(ChooseTierTest, TellsWhatItPassedOver) {
  const auto backends = Backends({kMicrovm, kContainer, kProcess}, {kMicrovm});
  ExecutionRequest request;
  request.require = kProcess;
  const std::vector<PassedOver> failed{{kContainer, "no namespaces"}};
  const auto admitted = ChooseTier(backends, request, Policy{}, failed);
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->report.passed_over,
            (std::vector<PassedOver>{{kMicrovm, "microvm is not ready"}, {kContainer, "no namespaces"}}));
  request.isolation = kProcess;
  const auto named = ChooseTier(backends, request, Policy{});
  ASSERT_TRUE(named);
  EXPECT_EQ(named->report.passed_over,
            (std::vector<PassedOver>{{kMicrovm, "the request names the tier process"},
                                     {kContainer, "the request names the tier process"}}));
}

class NeverChosen : public fake::FakeBackend {
 public:
  NeverChosen() : FakeBackend(fake::Script{}, kMicrovm) {}
  std::string why_never_chosen() override { return "it is emulated"; }
};

TEST(ChooseTierTest, TakesWhatIsNeverChosenByNameAlone) {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(std::make_unique<NeverChosen>());
  ExecutionRequest request;
  request.require = kMicrovm;
  const auto required = ChooseTier(backends, request, Policy{});
  ASSERT_FALSE(required);
  EXPECT_EQ(required.error().code, kUnavailable);
  EXPECT_THAT(required.error().message, testing::HasSubstr("it is emulated"));
  request.isolation = kMicrovm;
  EXPECT_TRUE(ChooseTier(backends, request, Policy{}));
}

// A tier that another program makes.
class RuntimeBackend : public fake::FakeBackend {
 public:
  RuntimeBackend(std::string name, Tier tier) : FakeBackend(fake::Script{}, tier), name_(std::move(name)) {}
  std::string_view runtime() const override { return name_; }
  bool only_by_name() const override { return true; }

 private:
  std::string name_;
};

class ChooseRuntimeTest : public testing::Test {
 protected:
  ChooseRuntimeTest() {
    backends_.push_back(std::make_unique<RuntimeBackend>("runsc", kGvisor));
    backends_.push_back(std::make_unique<fake::FakeBackend>(fake::Script{}, kContainer));
    backends_.push_back(std::make_unique<RuntimeBackend>("crun", kContainer));
  }
  // The runtime of the backend that was chosen, "own" for none, or the error's message.
  std::string Choose(std::string runtime, std::optional<Tier> isolation, std::optional<Tier> require) {
    ExecutionRequest request;
    request.runtime = std::move(runtime);
    request.isolation = isolation;
    request.require = require;
    const auto admitted = ChooseTier(backends_, request, Policy{});
    if (!admitted) return admitted.error().message;
    const std::string name(admitted->backend->runtime());
    return name.empty() ? "own" : name;
  }
  std::vector<std::unique_ptr<Backend>> backends_;
};

TEST_F(ChooseRuntimeTest, IsNeverTakenUnasked) {
  EXPECT_EQ(Choose("", {}, {}), "own");
  EXPECT_EQ(Choose("", kContainer, {}), "own");
  EXPECT_EQ(Choose("", {}, kProcess), "own");
}

TEST_F(ChooseRuntimeTest, IsTakenByItsNameItsTierOrAFloor) {
  EXPECT_EQ(Choose("crun", {}, {}), "crun");
  EXPECT_EQ(Choose("crun", kContainer, {}), "crun");
  EXPECT_EQ(Choose("runsc", {}, {}), "runsc");
  EXPECT_EQ(Choose("", kGvisor, {}), "runsc");
  EXPECT_EQ(Choose("", {}, kGvisor), "runsc");
}

TEST_F(ChooseRuntimeTest, TellsWhatCannotBe) {
  EXPECT_THAT(Choose("docker", {}, {}), testing::HasSubstr("no runtime is called docker"));
  EXPECT_THAT(Choose("crun", kGvisor, {}), testing::HasSubstr("crun makes sandboxes of the tier container"));
  EXPECT_THAT(Choose("crun", {}, kGvisor), testing::HasSubstr("below the required gvisor"));
}

}  // namespace
}  // namespace casemate
