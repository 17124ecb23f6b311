#include "secrets/aws/aws_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "secrets/aws/aws_credentials.h"
#include "secrets/aws/aws_place.h"
#include "secrets/http/scripted_client.h"

namespace casemate::secrets {
namespace {

using testing::HasSubstr;

TEST(AwsPlaceTest, TakesPlacesApart) {
  const auto place = ParseAwsPlace("prod/app?stage=AWSPREVIOUS&region=eu-west-1#key");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->id, "prod/app");
  EXPECT_EQ(place->stage, "AWSPREVIOUS");
  EXPECT_EQ(place->region, "eu-west-1");
  EXPECT_EQ(place->field, "key");
  const auto arn = ParseAwsPlace("arn:aws:secretsmanager:us-east-2:123456789012:secret:app-AbCdEf");
  ASSERT_TRUE(arn);
  EXPECT_EQ(arn->region, "us-east-2");
  EXPECT_EQ(arn->field, "");
  for (const char* bad : {"", "#key", "app#", "a b", "app?x=1", "app?region=", "app?region=evil.example.com",
                          "app?stage=", "app?", "a\"b", "a\nb"}) {
    EXPECT_FALSE(ParseAwsPlace(bad)) << bad;
  }
}

TEST(AwsProfileTest, ReadsSections) {
  const auto sections = ParseAwsSections(
      "a = 1\n# x\n[default]\na=2 # comment\nb = \n  nested = 3\n; c\n[ profile x ]\r\nk = "
      "v=w\r\n[broken\nlost = 1\n");
  ASSERT_EQ(sections.size(), 2U);
  EXPECT_EQ(sections.at("default").at("a"), "2");
  EXPECT_EQ(sections.at("default").size(), 2U);
  EXPECT_EQ(sections.at("profile x").at("k"), "v=w");
}

TEST(AwsCredentialsTest, FindsTextsOfXml) {
  EXPECT_EQ(XmlText("<a><b>text</b></a>", "b"), "text");
  EXPECT_EQ(XmlText("<b>text", "b"), "");
  EXPECT_EQ(XmlText("", "b"), "");
}

std::string Setting(const char* name) {
  const std::string_view key(name);
  if (key == "AWS_ACCESS_KEY_ID") return "AKID";
  if (key == "AWS_SECRET_ACCESS_KEY") return "the-key";
  if (key == "AWS_SESSION_TOKEN") return "the-token";
  if (key == "AWS_REGION") return "cn-north-1";
  return {};
}

TEST(AwsProviderTest, AsksTheRegionsEndpointAndSigns) {
  ScriptedClient client({{200, {}, R"({"SecretString":"{\"key\":\"hunter2\"}"})"}});
  const auto fetched = MakeAwsProvider(client, Setting)->Fetch("app?version=abc#key", Deadline::After(1000));
  ASSERT_TRUE(fetched && fetched->value);
  EXPECT_EQ(fetched->value->Reveal(), "hunter2");
  const HttpRequest& asked = client.asked.front();
  EXPECT_EQ(asked.url, "https://secretsmanager.cn-north-1.amazonaws.com.cn/");
  EXPECT_EQ(asked.body, R"({"SecretId":"app","VersionId":"abc"})");
  EXPECT_THAT(asked.headers, testing::Contains("X-Amz-Security-Token: the-token"));
}

TEST(AwsProviderTest, SplitsACommandAsAShellDoes) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(SplitCommand("/bin/helper  --a\tb"), (Words{"/bin/helper", "--a", "b"}));
  EXPECT_EQ(SplitCommand(R"("/the dir/helper" 'two words' x\ y "" 'a'b"c")"),
            (Words{"/the dir/helper", "two words", "x y", "", "abc"}));
  EXPECT_EQ(SplitCommand(R"("q\"b\\s\n" '$HOME \')"), (Words{R"(q"b\s\n)", R"($HOME \)"}));
  for (const char* bad : {"", "  ", "'open", "\"open", "\"open\\\"", "end\\"}) {
    EXPECT_FALSE(SplitCommand(bad)) << bad;
  }
}

TEST(AwsProviderTest, ReadsTimes) {
  EXPECT_EQ(AwsTime("2020-01-01T00:00:00Z"), 1577836800);
  EXPECT_EQ(AwsTime("2020-01-01T00:00:00.250Z"), 1577836800);
  EXPECT_EQ(AwsTime("2020-01-01T00:00:00UTC"), 1577836800);
  EXPECT_EQ(AwsTime("2020-01-01T00:00:00"), 1577836800);
  EXPECT_EQ(AwsTime("2020-01-01T09:30:00+09:30"), 1577836800);
  EXPECT_EQ(AwsTime("2019-12-31T19:00:00-05:00"), 1577836800);
  for (const char* bad :
       {"", "tomorrow", "2020-01-01T00:00:00 CET", "2020-01-01T00:00:00+0", "2020-01-01T00:00:00+01:00x"}) {
    EXPECT_FALSE(AwsTime(bad)) << bad;
  }
}

TEST(AwsProviderTest, TellsMissingFromForbidden) {
  ScriptedClient client(
      {{400, {}, R"({"__type":"ResourceNotFoundException","Message":"hunter2"})"},
       {400, {{"x-amzn-errortype", "AccessDeniedException:http://x"}}, R"({"Message":"hunter2"})"}});
  const auto provider = MakeAwsProvider(client, Setting);
  const auto missing = provider->Fetch("app", Deadline::After(1000));
  ASSERT_TRUE(missing);
  EXPECT_FALSE(missing->value);
  const auto forbidden = provider->Fetch("app", Deadline::After(1000));
  ASSERT_FALSE(forbidden);
  EXPECT_THAT(forbidden.error().ToString(),
              AllOf(HasSubstr("GetSecretValue"), testing::Not(HasSubstr("hunter2")),
                    testing::Not(HasSubstr("the-key"))));
}

}  // namespace
}  // namespace casemate::secrets
