#include "secrets/env/env_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace casemate::secrets {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kName = "CASEMATE_TEST_SECRET";

class EnvProviderTest : public testing::Test {
 protected:
  void TearDown() override { unsetenv(kName); }
  Expected<Fetched> Fetch() { return provider_->Fetch(kName, Deadline::After(1000)); }
  std::unique_ptr<Provider> provider_ = MakeEnvProvider();
};

TEST_F(EnvProviderTest, TakesAVariable) {
  setenv(kName, "the value", 1);
  const auto fetched = Fetch();
  ASSERT_TRUE(fetched && fetched->value);
  EXPECT_EQ(fetched->value->Reveal(), "the value");
  EXPECT_EQ(fetched->ttl_ms, 0);
}

TEST_F(EnvProviderTest, SaysHowToSetOneThatIsMissing) {
  const auto fetched = Fetch();
  ASSERT_TRUE(fetched);
  EXPECT_FALSE(fetched->value);
  EXPECT_THAT(fetched->missing, HasSubstr("export CASEMATE_TEST_SECRET="));
}

TEST_F(EnvProviderTest, RefusesAnEmptyOrHugeOne) {
  setenv(kName, "", 1);
  ASSERT_FALSE(Fetch());
  EXPECT_THAT(Fetch().error().message, HasSubstr("is empty"));
  setenv(kName, std::string(kSecretBytesMax + 1, 'x').c_str(), 1);
  ASSERT_FALSE(Fetch());
  EXPECT_THAT(Fetch().error().message, AllOf(HasSubstr("65536"), Not(HasSubstr("xx"))));
}

TEST_F(EnvProviderTest, RefusesAValueInThePlaceOfAName) {
  const auto checked = provider_->Check("KEY=sk-secret");
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, Not(HasSubstr("sk-secret")));
}

}  // namespace
}  // namespace casemate::secrets
