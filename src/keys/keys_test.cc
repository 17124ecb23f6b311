#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "keys/key_store.h"
#include "keys/key_usage.h"

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kSecondUs = 1'000'000;

class KeysTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/casemate-keys-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  NewKey Added(KeyStore& store, const std::string& name, std::string_view scopes = "run") {
    auto made = MakeKey(name, *ParseScopes(scopes), {}, 1);
    EXPECT_TRUE(store.Add(made->key));
    return *made;
  }

  std::string folder_;
};

TEST_F(KeysTest, ScopesAreReadAndWritten) {
  EXPECT_EQ(FormatScopes(*ParseScopes("batch,run")), "run,batch");
  EXPECT_EQ(FormatScopes(*ParseScopes("admin,run")), "admin");
  for (const char* bad : {"", "run,", "Run", "all", "run batch"}) {
    EXPECT_EQ(ParseScopes(bad).error().code, ErrorCode::kInvalidRequest) << bad;
  }
  EXPECT_TRUE(ParseScopes("admin")->Has(Scope::kSecrets));
  EXPECT_FALSE(ParseScopes("run")->Has(Scope::kHost));
  EXPECT_TRUE(Scopes().Has(Scope::kNone));
}

TEST_F(KeysTest, AKeyIsFoundByItsWholeText) {
  KeyStore store(folder_);
  const NewKey made = Added(store, "a");
  ASSERT_NE(*store.Find(made.text, 2), nullptr);
  EXPECT_EQ((*store.Find(made.text, 2))->name, "a");
  std::string wrong = made.text;
  wrong.back() = wrong.back() == 'A' ? 'B' : 'A';
  EXPECT_EQ(*store.Find(wrong, 2), nullptr);
  for (const std::string& text : {std::string(), made.key.id, made.text + "A", made.text.substr(1)}) {
    EXPECT_EQ(*store.Find(text, 2), nullptr) << text;
  }
}

TEST_F(KeysTest, TheFileHasNoSecretAndIsItsOwnersAlone) {
  KeyStore store(folder_);
  const NewKey made = Added(store, "a");
  const std::string text = *ReadFile(store.path(), 10'000);
  EXPECT_THAT(text, Not(HasSubstr(made.text.substr(17))));
  struct stat file {};
  ASSERT_EQ(::stat(store.path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
}

TEST_F(KeysTest, ARevokedKeyIsOfNoUseAtOnce) {
  KeyStore store(folder_);
  const NewKey first = Added(store, "a");
  const NewKey second = Added(store, "b");
  ASSERT_NE(*store.Find(first.text, 2), nullptr);
  // As another process does it.
  ASSERT_TRUE(KeyStore(folder_).Revoke("a", 3));
  EXPECT_EQ(*store.Find(first.text, 4), nullptr);
  EXPECT_NE(*store.Find(second.text, 4), nullptr);
  EXPECT_EQ(store.Revoke("nobody", 5).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(*store.HasUsable(5));
  ASSERT_TRUE(store.Revoke(second.key.id, 5));
  EXPECT_FALSE(*store.HasUsable(5));
}

TEST_F(KeysTest, ANameOfTwoIsRefused) {
  KeyStore store(folder_);
  Added(store, "a");
  Added(store, "a");
  EXPECT_THAT(store.Revoke("a", 2).error().message, HasSubstr("by its id"));
}

TEST_F(KeysTest, AnExpiredKeyIsOfNoUse) {
  KeyStore store(folder_);
  auto made = *MakeKey("a", *ParseScopes("run"), {}, 1);
  made.key.expires_us = 10;
  ASSERT_TRUE(store.Add(made.key));
  EXPECT_NE(*store.Find(made.text, 9), nullptr);
  EXPECT_EQ(*store.Find(made.text, 10), nullptr);
}

TEST_F(KeysTest, ABrokenFileLetsNobodyIn) {
  KeyStore store(folder_);
  const NewKey made = Added(store, "a");
  ASSERT_TRUE(WriteFileAtomically(store.path(), R"({"keys":[{"id":"x"}]})", 0600));
  EXPECT_FALSE(store.Find(made.text, 2));
  EXPECT_FALSE(store.Add(made.key)) << "what cannot be read is not overwritten";
}

TEST_F(KeysTest, KeysSurviveTheirFile) {
  auto made = *MakeKey("n\"\xc3\xa9", *ParseScopes("run,host"), {60, 5, 1000, 3}, 7);
  made.key.revoked_us = 9;
  const auto read = DecodeKeys(EncodeKeys({made.key}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(EncodeKeys(*read), EncodeKeys({made.key}));
  EXPECT_FALSE(DecodeKeys(R"({"keys":[],"more":1})"));
}

ApiKey KeyWith(const KeyQuota& quota) {
  ApiKey key;
  key.id = "0123456789ab";
  key.quota = quota;
  return key;
}

TEST(KeyUsageTest, ABucketEmptiesAndFills) {
  KeyUsage usage;
  const ApiKey key = KeyWith({.per_minute = 60, .burst = 2});
  std::int64_t now = 100 * kSecondUs;
  EXPECT_FALSE(usage.Begin(key, now));
  EXPECT_FALSE(usage.Begin(key, now));
  const auto over = usage.Begin(key, now);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->retry_after_s, 1);
  now += kSecondUs;
  EXPECT_FALSE(usage.Begin(key, now));
  EXPECT_TRUE(usage.Begin(key, now));
  now += 3600 * kSecondUs;
  EXPECT_FALSE(usage.Begin(key, now));
  EXPECT_FALSE(usage.Begin(key, now));
  EXPECT_TRUE(usage.Begin(key, now)) << "it holds no more than its burst";
}

TEST(KeyUsageTest, TheWaitIsThatOfOneToken) {
  KeyUsage usage;
  const ApiKey key = KeyWith({.per_minute = 2, .burst = 1});
  EXPECT_FALSE(usage.Begin(key, kSecondUs));
  EXPECT_EQ(usage.Begin(key, kSecondUs)->retry_after_s, 30);
}

TEST(KeyUsageTest, PlacesAreGivenBack) {
  KeyUsage usage;
  const ApiKey key = KeyWith({.concurrent = 1});
  EXPECT_FALSE(usage.Begin(key, 1));
  EXPECT_TRUE(usage.Begin(key, 1));
  usage.End(key.id);
  EXPECT_FALSE(usage.Begin(key, 1));
}

TEST(KeyUsageTest, ADayHasItsRuns) {
  KeyUsage usage;
  const ApiKey key = KeyWith({.runs_per_day = 1});
  EXPECT_FALSE(usage.TakeRun(key, kSecondUs));
  const auto over = usage.TakeRun(key, 3601 * kSecondUs);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->retry_after_s, 23 * 3600 + 1);
  EXPECT_FALSE(usage.TakeRun(key, (24 * 3600 + 1) * kSecondUs));
}

}  // namespace
}  // namespace casemate
