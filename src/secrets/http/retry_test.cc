#include "secrets/http/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "secrets/http/json_body.h"
#include "secrets/http/scripted_client.h"

namespace casemate::secrets {
namespace {

TEST(RetryTest, ComesAgainWhenItIsAskedTo) {
  ScriptedClient client({{429, {{"retry-after", "0"}}, ""}, {503, {}, ""}, {200, {}, "yes"}});
  const auto response = SendPatiently(client, {}, Deadline::After(20'000));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "yes");
  EXPECT_EQ(client.asked.size(), 3U);
}

TEST(RetryTest, GivesUpAfterFour) {
  ScriptedClient client({{500, {}, ""}, {502, {}, ""}, {503, {}, ""}, {504, {}, "last"}, {200, {}, ""}});
  const auto response = SendPatiently(client, {}, Deadline::After(20'000));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 504);
  EXPECT_EQ(client.asked.size(), 4U);
}

TEST(RetryTest, DoesNotWaitPastItsDeadline) {
  ScriptedClient client({{429, {{"retry-after", "5"}}, ""}, {200, {}, ""}});
  const auto response = SendPatiently(client, {}, Deadline::After(500));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 429);
}

TEST(RetryTest, TakesOtherAnswersAsTheyAre) {
  for (const long status : {200L, 301L, 400L, 403L, 404L}) {
    ScriptedClient client({{status, {}, ""}, {200, {}, ""}});
    EXPECT_EQ(SendPatiently(client, {}, Deadline::After(1000))->status, status);
    EXPECT_EQ(client.asked.size(), 1U);
  }
  ScriptedClient gone({});
  EXPECT_FALSE(SendPatiently(gone, {}, Deadline::After(1000)));
  EXPECT_EQ(gone.asked.size(), 1U);
}

TEST(JsonBodyTest, FindsWhatIsThere) {
  const auto body = ParseBody(R"({"a":{"b":"text","n":7},"t":true,"z":null,"l":[1,"x"]})");
  ASSERT_TRUE(body);
  EXPECT_EQ(TextAt(*body, "a.b"), "text");
  EXPECT_EQ(NumberAt(*body, "a.n"), 7);
  EXPECT_EQ(TextAt(*body, "a.n"), "");
  EXPECT_EQ(TextAt(*body, "a.b.c"), "");
  EXPECT_EQ(NumberAt(*body, "none"), 0);
  EXPECT_EQ(FieldText(*body, "t"), "true");
  EXPECT_EQ(FieldText(*body, "l"), R"([1,"x"])");
  EXPECT_FALSE(FieldText(*body, "z"));
  EXPECT_FALSE(FieldText(*body, "none"));
  EXPECT_FALSE(ParseBody("{"));
  EXPECT_FALSE(ParseBody(std::string(1000, '[')));
}

}  // namespace
}  // namespace casemate::secrets
