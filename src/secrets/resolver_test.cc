#include "secrets/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>

namespace casemate::secrets {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Values by place; "!..." fails. Counts how often it was asked.
class ScriptedProvider : public Provider {
 public:
  ScriptedProvider(std::string scheme, std::map<std::string, std::string, std::less<>> values,
                   bool slow = false)
      : scheme_(std::move(scheme)), values_(std::move(values)), slow_(slow) {}
  std::string_view scheme() const override { return scheme_; }
  std::string_view form() const override { return scheme_; }
  bool waits() const override { return slow_; }
  Expected<void> Check(std::string_view place) const override {
    if (place == "malformed") return Fail(ErrorCode::kInvalidRequest, "write it well");
    return {};
  }
  std::string Advise(std::string_view place) const override { return place == "bad" ? "move it" : ""; }
  Expected<Fetched> Fetch(std::string_view place, const Deadline& /*deadline*/) override {
    ++asked;
    if (slow_) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    Fetched fetched;
    fetched.ttl_ms = ttl_ms;
    const auto found = values_.find(place);
    if (found == values_.end()) {
      fetched.missing = scheme_ + " has no " + std::string(place);
      return fetched;
    }
    if (found->second.starts_with('!')) return Fail(ErrorCode::kUnavailable, scheme_ + " is down", "EIO");
    fetched.value = *SecretValue::Copy(found->second);
    return fetched;
  }
  std::atomic<int> asked = 0;
  std::int64_t ttl_ms = 0;

 private:
  std::string scheme_;
  std::map<std::string, std::string, std::less<>> values_;
  bool slow_;
};

class ResolverTest : public testing::Test {
 protected:
  void Make(const SecretOptions& options = {}) {
    std::vector<std::unique_ptr<Provider>> providers;
    auto quick = std::make_unique<ScriptedProvider>(
        "quick",
        std::map<std::string, std::string, std::less<>>{{"a", "value a"}, {"b", "value b"}, {"down", "!"}});
    auto slow = std::make_unique<ScriptedProvider>(
        "slow", std::map<std::string, std::string, std::less<>>{{"a", "slow a"}, {"down", "!"}}, true);
    quick_ = quick.get();
    slow_ = slow.get();
    slow_->ttl_ms = ttl_ms_;
    providers.push_back(std::move(quick));
    providers.push_back(std::move(slow));
    store_ = MakeStoreOf(std::move(providers), options);
  }
  std::string Resolve(std::vector<std::string> references) {
    SecretRequest request;
    request.name = "KEY";
    request.references = std::move(references);
    const auto found = store_->Resolve({&request, 1});
    if (!found) return "error: " + found.error().ToString();
    return found->front().reference + " = " + std::string(found->front().value->Reveal());
  }
  std::int64_t ttl_ms_ = 0;
  std::unique_ptr<SecretStore> store_;
  ScriptedProvider* quick_ = nullptr;
  ScriptedProvider* slow_ = nullptr;
};

TEST_F(ResolverTest, TakesTheFirstThatHasTheValue) {
  Make();
  EXPECT_EQ(Resolve({"quick:a"}), "quick:a = value a");
  EXPECT_EQ(Resolve({"quick:none", "slow:none", "quick:b", "quick:a"}), "quick:b = value b");
  EXPECT_EQ(Resolve({"slow:a", "quick:a"}), "slow:a = slow a");
}

TEST_F(ResolverTest, NeverFallsThroughAFailure) {
  Make();
  EXPECT_THAT(Resolve({"quick:down", "quick:a"}),
              AllOf(HasSubstr("the secret KEY cannot be had: quick is down"), Not(HasSubstr("value a"))));
  EXPECT_THAT(Resolve({"quick:none", "slow:down", "quick:a"}), HasSubstr("slow is down"));
}

TEST_F(ResolverTest, NamesEveryWayToSetOneThatIsMissing) {
  Make();
  EXPECT_THAT(Resolve({"quick:x", "slow:y"}), HasSubstr("KEY: quick has no x; slow has no y"));
}

TEST_F(ResolverTest, ChecksAllBeforeItAsksAny) {
  Make();
  std::vector<SecretRequest> requests(2);
  requests[0] = {"A", {"quick:a"}, {}, {}};
  requests[1] = {"B", {"quick:malformed"}, {}, {}};
  auto found = store_->Resolve(requests);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("the secret B: write it well"));
  requests[1].references = {"other:x"};
  EXPECT_THAT(store_->Resolve(requests).error().message, HasSubstr("known are quick, slow"));
  requests[1].references = {"sk-hunter2"};
  EXPECT_THAT(store_->Resolve(requests).error().message, Not(HasSubstr("hunter2")));
  requests[1].references = {};
  EXPECT_THAT(store_->Resolve(requests).error().message, HasSubstr("has no reference"));
  EXPECT_EQ(quick_->asked, 0);
}

TEST_F(ResolverTest, AsksSlowProvidersSideBySide) {
  Make();
  std::vector<SecretRequest> requests(10);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i] = {"K" + std::to_string(i), {"slow:a"}, {}, {}};
  }
  const std::int64_t begin = MonotonicUs();
  const auto found = store_->Resolve(requests);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 10U);
  EXPECT_EQ(found->at(9).name, "K9");
  EXPECT_LT(MonotonicUs() - begin, 700'000);
}

TEST_F(ResolverTest, KeepsAValueForItsTime) {
  ttl_ms_ = 300;
  Make();
  EXPECT_EQ(Resolve({"slow:a"}), "slow:a = slow a");
  EXPECT_EQ(Resolve({"slow:a"}), "slow:a = slow a");
  EXPECT_EQ(slow_->asked, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(310));
  EXPECT_EQ(Resolve({"slow:a"}), "slow:a = slow a");
  EXPECT_EQ(slow_->asked, 2);
  Resolve({"quick:a"});
  Resolve({"quick:a"});
  EXPECT_EQ(quick_->asked, 2);
}

TEST_F(ResolverTest, EndsAKeptValueThatNobodyAsksForAgain) {
  ttl_ms_ = 100;
  Make();
  SecretRequest request;
  request.name = "KEY";
  request.references = {"slow:a"};
  std::weak_ptr<const SecretValue> value;
  {
    const auto found = store_->Resolve({&request, 1});
    ASSERT_TRUE(found);
    value = found->front().value;
  }
  EXPECT_FALSE(value.expired());
  for (int tried = 0; !value.expired() && tried < 1000; ++tried)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(value.expired());
}

TEST_F(ResolverTest, ChecksWhatItNeedNotAsk) {
  ttl_ms_ = 60'000;
  Make();
  EXPECT_EQ(Resolve({"slow:a", "quick:a"}), "slow:a = slow a");
  EXPECT_EQ(Resolve({"slow:a", "quick:a"}), "slow:a = slow a");
  EXPECT_THAT(Resolve({"slow:a", "quick:malformed"}), HasSubstr("write it well"));
  EXPECT_EQ(slow_->asked, 1);
}

TEST_F(ResolverTest, TakesTheCallersTimeWhereItIsShorter) {
  ttl_ms_ = 60'000;
  Make({.ttl_ms = {{"slow", 0}, {"quick", 60'000}}});
  Resolve({"slow:a"});
  Resolve({"slow:a"});
  EXPECT_EQ(slow_->asked, 2);
  Resolve({"quick:a"});
  Resolve({"quick:a"});
  EXPECT_EQ(quick_->asked, 1);
}

TEST_F(ResolverTest, LooksAtEachByItself) {
  Make();
  const std::vector<std::string> references = {"quick:a", "quick:x", "slow:down", "nonsense"};
  const auto findings = store_->Look(references);
  ASSERT_EQ(findings.size(), 4U);
  EXPECT_EQ(findings[0].state, SecretFinding::State::kFound);
  EXPECT_EQ(findings[0].detail, "");
  EXPECT_EQ(findings[1].state, SecretFinding::State::kMissing);
  EXPECT_EQ(findings[1].detail, "quick has no x");
  EXPECT_EQ(findings[2].state, SecretFinding::State::kFailed);
  EXPECT_THAT(findings[2].detail, HasSubstr("slow is down"));
  EXPECT_EQ(findings[3].state, SecretFinding::State::kFailed);
}

TEST_F(ResolverTest, Advises) {
  Make();
  EXPECT_THAT(store_->Advise(std::vector<std::string>{"quick:a", "quick:bad", "slow:bad", "nonsense"}),
              ElementsAre("move it"));
  EXPECT_THAT(store_->Forms(), ElementsAre("quick", "slow"));
}

}  // namespace
}  // namespace casemate::secrets
