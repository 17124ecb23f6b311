#include "secrets/vault/vault_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "secrets/http/scripted_client.h"
#include "secrets/vault/vault_place.h"

namespace casemate::secrets {
namespace {

using testing::HasSubstr;

TEST(VaultPlaceTest, TakesPlacesApart) {
  const auto place = ParseVaultPlace("team/kv/app?version=3#key");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->path, "team/kv/app");
  EXPECT_EQ(place->field, "key");
  EXPECT_EQ(place->version, 3);
  for (const char* bad : {"", "kv/app", "kv/app#", "app#key", "/kv/app#key", "kv/app/#key", "kv//app#key",
                          "kv/../x#key", "kv/./x#key", "kv/a b#key", "kv/a%2e#key", "kv/app?version=0#key",
                          "kv/app?version=x#key", "kv/app?x=1#key", "kv/app?version=1x#key"}) {
    EXPECT_FALSE(ParseVaultPlace(bad)) << bad;
  }
}

std::string Setting(const char* name) {
  const std::string_view key(name);
  if (key == "VAULT_ADDR") return "https://vault:8200/";
  if (key == "VAULT_TOKEN") return "the-token";
  if (key == "VAULT_NAMESPACE") return "team";
  return {};
}

constexpr const char* kSecond = R"({"data":{"path":"kv/","type":"kv","options":{"version":"2"}}})";

TEST(VaultProviderTest, AsksForTheMountThenForTheVersion) {
  ScriptedClient client(
      {{200, {}, kSecond},
       {200, {}, R"({"data":{"data":{"key":"hunter2","other":"x"},"metadata":{"version":7}}})"}});
  const auto provider = MakeVaultProvider(client, Setting);
  const auto fetched = provider->Fetch("kv/app?version=7#key", Deadline::After(1000));
  ASSERT_TRUE(fetched && fetched->value);
  EXPECT_EQ(fetched->value->Reveal(), "hunter2");
  EXPECT_GT(fetched->ttl_ms, 0);
  ASSERT_EQ(client.asked.size(), 2U);
  EXPECT_EQ(client.asked[0].url, "https://vault:8200/v1/sys/internal/ui/mounts/kv/app");
  EXPECT_EQ(client.asked[1].url, "https://vault:8200/v1/kv/data/app?version=7");
  EXPECT_THAT(client.asked[1].headers,
              testing::IsSupersetOf(
                  {"X-Vault-Token: the-token", "X-Vault-Namespace: team", "X-Vault-Request: true"}));
  // Another field of the same reading.
  const auto other = provider->Fetch("kv/app?version=7#other", Deadline::After(1000));
  ASSERT_TRUE(other && other->value);
  EXPECT_EQ(client.asked.size(), 2U);
}

// Its thread may be anywhere between its start and its wait.
TEST(VaultProviderTest, EndsAtAnyInstant) {
  ScriptedClient client({});
  for (int i = 0; i < 20'000; ++i) {
    const auto provider = MakeVaultProvider(client, Setting);
    const Deadline end = Deadline::AtUs(MonotonicUs() + i % 100);
    while (!end.Passed()) {
    }
  }
}

TEST(VaultProviderTest, SaysWhyWithoutTheServersWords) {
  ScriptedClient client({{200, {}, kSecond}, {403, {}, R"({"errors":["hunter2"]})"}});
  const auto fetched = MakeVaultProvider(client, Setting)->Fetch("kv/app#key", Deadline::After(1000));
  ASSERT_FALSE(fetched);
  EXPECT_THAT(fetched.error().ToString(),
              AllOf(HasSubstr("refuses access"), testing::Not(HasSubstr("hunter2")),
                    testing::Not(HasSubstr("the-token"))));
}

}  // namespace
}  // namespace casemate::secrets
