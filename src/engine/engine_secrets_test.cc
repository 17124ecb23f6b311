#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/file.h"
#include "engine/engine_fixture.h"

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

TEST_F(EngineTest, LetsNothingOutThatIsSecret) {
  const std::string token = "ghp_" + std::string("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6");
  const std::string frames =
      Started() + EncodeFrame(FrameType::kDisplay, "{\"text/html\":\"<b>" + token + "</b>\"}") +
      EncodeFrame(FrameType::kResult, "{\"" + token + "\": {\"password\": \"hunter2\"}}") +
      EncodeFrame(FrameType::kEnd, "");
  const fake::Script script{
      .stdout_text = "a " + token + " b\n", .stderr_text = "PASSWORD=hunter2\n", .result_bytes = frames};
  const ExecutionResult result = Run(script);
  EXPECT_EQ(result.stdout_text, "a [REDACTED_GITHUB_TOKEN] b\n");
  EXPECT_EQ(result.stderr_text, "PASSWORD=[REDACTED_PASSWORD]\n");
  ASSERT_TRUE(result.result);
  EXPECT_EQ(result.result->text(), R"({"[REDACTED_GITHUB_TOKEN]":{"password":"[REDACTED_PASSWORD]"}})");
  ASSERT_THAT(result.displays, SizeIs(1));
  EXPECT_EQ(result.displays[0].data.at("text/html"), "<b>[REDACTED_GITHUB_TOKEN]</b>");
  EXPECT_THAT(result.redactions, testing::Contains(Redaction{"github_token", "stdout", 1, 2}));
  for (const std::string& word : events_.words) EXPECT_THAT(word, testing::Not(testing::HasSubstr(token)));
  request_.redact = "off";
  EXPECT_EQ(Run(script).stderr_text, "PASSWORD=hunter2\n");
  request_.redact = "some";
  EXPECT_EQ(Run(script).status, Status::kRejected);
}

TEST_F(EngineTest, GivesSecretsAsTheyAreAskedFor) {
  setenv("CASEMATE_TEST_SECRET", "hunter2", 1);
  request_.secrets = {{"KEY", {"env:CASEMATE_TEST_NONE", "env:CASEMATE_TEST_SECRET"}, {}, {}},
                      {"key.pem", {"env:CASEMATE_TEST_SECRET"}, SecretMode::kFile, {}}};
  const ExecutionResult result = Run();
  EXPECT_EQ(result.status, Status::kOk);
  EXPECT_TRUE(std::ranges::any_of(result.timings, [](const Timing& t) { return t.step == "secrets"; }));
  ASSERT_TRUE(launched_);
  ASSERT_THAT(launched_->secrets, SizeIs(2));
  EXPECT_EQ(launched_->secrets[0].value->Reveal(), "hunter2");
  EXPECT_EQ(launched_->secrets[0].reference, "env:CASEMATE_TEST_SECRET");
  EXPECT_EQ(launched_->secrets[0].mode, SecretMode::kVariable);
  EXPECT_EQ(launched_->secrets[1].mode, SecretMode::kFile);
  EXPECT_FALSE(launched_->env.contains("KEY"));
  EXPECT_THAT(request_seen_, testing::Not(HasSubstr("hunter2")));
  unsetenv("CASEMATE_TEST_SECRET");
}

TEST_F(EngineTest, RefusesSecretsThatCannotBeGiven) {
  const auto ask = [this](SecretRequest secret) { request_.secrets = {std::move(secret)}; };
  ask({"KEY", {"env:CASEMATE_TEST_NONE", "file:/nonexistent"}, {}, {}});
  ExpectRejected("there is no value for the secret KEY");
  ask({"KEY", {"sk-live-hunter2"}, {}, {}});
  ExpectRejected("not by its value");
  ask({"KEY", {}, {}, {}});
  ExpectRejected("has no reference");
  ask({"a b", {"env:A"}, {}, {}});
  ExpectRejected("the name of a secret");
  ask({"../x", {"env:A"}, SecretMode::kFile, {}});
  ExpectRejected("the name of a secret");
  ask({"a.b", {"env:A"}, SecretMode::kVariable, {}});
  ExpectRejected("the name of a secret");
  ask({"PATH", {"env:A"}, {}, {}});
  ExpectRejected("is a variable of the run already");
  ask({"KEY", {"env:A"}, SecretMode::kVariable, {"host"}});
  ExpectRejected("names hosts");
  request_.secrets = {{"KEY", {"env:A"}, {}, {}}, {"KEY", {"env:A"}, {}, {}}};
  ExpectRejected("given twice");
  request_.env["KEY"] = "x";
  ask({"KEY", {"env:A"}, {}, {}});
  ExpectRejected("is a variable of the run already");
}

TEST_F(EngineTest, RefusesAZeroByteInAVariable) {
  const std::string path = *state_dir_ + "/binary";
  ASSERT_TRUE(WriteFileAtomically(path, std::string("a\0b", 3), 0600));
  request_.secrets = {{"KEY", {"file:" + path}, {}, {}}};
  ExpectRejected("zero byte");
  request_.secrets.front().mode = SecretMode::kFile;
  EXPECT_EQ(Run().status, Status::kOk);
}

TEST_F(EngineTest, ABrokeredSecretNeedsItsHostAllowed) {
  request_.secrets = {{"KEY", {"env:A"}, {}, {"api.example.com"}}};
  ExpectRejected("api.example.com");
  request_.network.emplace().allow = {{"other.example.com", {}, {}}};
  ExpectRejected("api.example.com");
}

TEST_F(EngineTest, KnowsTheSecretsThatItGives) {
  const std::string path = *state_dir_ + "/known";
  ASSERT_TRUE(WriteFileAtomically(path, "correct-horse-battery", 0600));
  request_.secrets = {{"KEY", {"file:" + path}, {}, {}}};
  const ExecutionResult result =
      Run({.stdout_text = "correct-horse-battery\n",
           .stderr_text = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5\n",  // in base64
           .result_bytes =
               Resulting(R"({"a": "636f72726563742d686f7273652d62617474657279"})")});  // in hexadecimal
  EXPECT_EQ(result.stdout_text, "[REDACTED_SECRET]\n");
  EXPECT_EQ(result.stderr_text, "[REDACTED_SECRET]\n");
  ASSERT_TRUE(result.result);
  EXPECT_EQ(result.result->text(), R"({"a":"[REDACTED_SECRET]"})");
}

}  // namespace
}  // namespace casemate
