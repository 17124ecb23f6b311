#include "engine/armed_secrets.h"

#include <gtest/gtest.h>

#include <string>

#include "model/kept_secret.h"

namespace casemate {
namespace {

ResolvedSecret Secret(const std::string& name, const std::string& value, bool kept) {
  SecretValue copy = *SecretValue::Copy(value);
  return {name, SecretMode::kVariable,
          kept ? KeptSecret::Keep(std::move(copy)) : std::make_shared<const SecretValue>(std::move(copy)),
          "vault:x/y#z"};
}

std::string Clean(std::shared_ptr<const KnownValues> known, std::string_view text) {
  auto redactor = MakeArmedRedactor({}, std::move(known));
  return (*redactor)->Text(text, "stdout").text();
}

TEST(ArmedSecretsTest, IsTheSameForTheSameValues) {
  ArmedSecrets armed;
  EXPECT_EQ(armed.For({}), nullptr);
  const std::vector<ResolvedSecret> one{Secret("A", "first-value-of-all", true)};
  const auto known = armed.For(one);
  EXPECT_EQ(armed.For(one), known);
  EXPECT_EQ(Clean(known, "x first-value-of-all y").find("first"), std::string::npos);
  const std::vector<ResolvedSecret> two{one[0], Secret("B", "second-value-of-all", true)};
  EXPECT_NE(armed.For(two), known);
  EXPECT_EQ(Clean(armed.For(two), "second-value-of-all").find("second"), std::string::npos);
  EXPECT_EQ(armed.For(two), armed.For(two));
  EXPECT_EQ(armed.For(one), known);
  // The same value by another name is told of by that name.
  std::vector<ResolvedSecret> renamed = one;
  renamed[0].name = "C";
  EXPECT_NE(armed.For(renamed), known);
}

TEST(ArmedSecretsTest, EndsWithTheValue) {
  ArmedSecrets armed;
  std::weak_ptr<const KnownValues> known;
  {
    const std::vector<ResolvedSecret> one{Secret("A", "first-value-of-all", true)};
    known = armed.For(one);
    EXPECT_FALSE(known.expired());
    for (int i = 0; i < 10; ++i) {
      const std::vector<ResolvedSecret> more{one[0],
                                             Secret("B", "value-" + std::to_string(i) + "-of-many", true)};
      EXPECT_NE(armed.For(more), nullptr);
    }
  }
  EXPECT_TRUE(known.expired());
}

TEST(ArmedSecretsTest, KeepsNothingThatTheStoreDoesNotKeep) {
  ArmedSecrets armed;
  const std::vector<ResolvedSecret> mixed{Secret("A", "first-value-of-all", true),
                                          Secret("B", "of-this-run", false)};
  std::weak_ptr<const KnownValues> known = armed.For(mixed);
  EXPECT_TRUE(known.expired());
  EXPECT_EQ(Clean(armed.For(mixed), "of-this-run").find("run"), std::string::npos);
}

}  // namespace
}  // namespace casemate
