#include "engine/secret_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(SecretOptionsTest, AdministratorsWordWins) {
  const auto options =
      ReadSecretOptions({.timeout_ms = 7, .ttl_ms = {{"vault", 1}, {"aws", 2}}}, "vault=30s,cmd=0s", "5s");
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_EQ(options->timeout_ms, 5000);
  EXPECT_THAT(options->ttl_ms, UnorderedElementsAre(Pair("vault", 30'000), Pair("aws", 2), Pair("cmd", 0)));
  EXPECT_EQ(ReadSecretOptions({.timeout_ms = 7, .ttl_ms = {}}, "", "")->timeout_ms, 7);
}

TEST(SecretOptionsTest, SaysWhatToWrite) {
  for (const char* ttl :
       {"vault", "vault=", "nowhere=1s", "vault=-1s", "vault=1s,,aws=1s", "vault=100000h", "=1s"}) {
    const auto options = ReadSecretOptions({}, ttl, "");
    ASSERT_FALSE(options) << ttl;
    EXPECT_THAT(options.error().message, HasSubstr("CASEMATE_SECRETS_TTL is ")) << ttl;
  }
  for (const char* timeout : {"0s", "x", "-1s", "100000h"}) {
    EXPECT_FALSE(ReadSecretOptions({}, "", timeout)) << timeout;
  }
}

}  // namespace
}  // namespace casemate
