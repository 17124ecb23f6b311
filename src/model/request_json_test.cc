#include "model/request_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

ExecutionRequest Decoded(std::string_view text) {
  auto request = DecodeRequest(text);
  EXPECT_TRUE(request) << request.error().message;
  return request.value_or(ExecutionRequest());
}

TEST(RequestJson, WhatIsAbsentHasItsDefault) {
  const ExecutionRequest request = Decoded(R"({"code":"pass"})");
  EXPECT_EQ(request.code, "pass");
  EXPECT_EQ(request.code_name, "main.py");
  EXPECT_EQ(request.policy, "default");
  EXPECT_EQ(request.environment, "host");
  EXPECT_TRUE(request.keep_streams);
  EXPECT_FALSE(request.input_json);
  EXPECT_FALSE(request.workspace);
  EXPECT_EQ(EncodeRequest(request), R"({"code":"pass"})");
}

TEST(RequestJson, EveryField) {
  const std::string text =
      R"({"command":["sh","-c","true"],"code_name":"a.py","language":"bash","environment":"e","policy":"strict",)"
      R"("args":["x","y"],"input":{"n":100000000000000000000.50},"input_schema":{"type":"object"},)"
      R"("result_schema":true,"stdin":"in\n","keep_streams":false,)"
      R"("files":{"a/b.txt":"text","c":{"base64":"/w=="}},"workspace":{"path":"/w","mode":"copy"},)"
      R"("mounts":[{"path":"/h","inside":"/data","mode":"rw"},{"path":"/i","inside":"/j","mode":"ro"}],)"
      R"("collect":["**"],"env":{"A":"1","B":""},"limits":{"cpus":0.5,"memory_bytes":134217728},)"
      R"("require_limits":true,"isolation":"container","require":"process",)"
      R"("checks":"checked","allowed_packages":["os.path"],"complexity":{"loops":5}})";
  const ExecutionRequest request = Decoded(text);
  EXPECT_THAT(request.command, ElementsAre("sh", "-c", "true"));
  EXPECT_THAT(request.args, ElementsAre("x", "y"));
  EXPECT_EQ(request.input_json, R"({"n":100000000000000000000.50})") << "numbers keep their text";
  EXPECT_EQ(request.result_schema, "true");
  EXPECT_EQ(request.stdin_bytes, "in\n");
  ASSERT_EQ(request.files.size(), 2U);
  EXPECT_EQ(request.files[0].bytes, "text");
  EXPECT_EQ(request.files[1].bytes, "\xff");
  EXPECT_EQ(request.workspace->mode, WorkspaceMode::kCopy);
  EXPECT_TRUE(request.mounts[0].writable);
  EXPECT_FALSE(request.mounts[1].writable);
  EXPECT_THAT(request.env, ElementsAre(Pair("A", "1"), Pair("B", "")));
  EXPECT_THAT(request.limits, ElementsAre(Pair("cpus", 0.5), Pair("memory_bytes", 134217728.0)));
  EXPECT_EQ(request.isolation, Tier::kContainer);
  EXPECT_EQ(request.require, Tier::kProcess);
  EXPECT_EQ(request.checks, ChecksMode::kChecked);
  EXPECT_THAT(request.allowed_packages, ElementsAre("os.path"));
  EXPECT_THAT(request.complexity, ElementsAre(Pair("loops", 5)));
  const auto encoded = EncodeRequest(request);
  ASSERT_TRUE(encoded) << encoded.error().message;
  EXPECT_EQ(EncodeRequest(Decoded(*encoded)), *encoded);
  EXPECT_EQ(*encoded,
            text.substr(0, text.find(",\"code_name")) + encoded->substr(encoded->find(",\"code_name")));
}

TEST(RequestJson, APolicyIsAProfileOrAnObject) {
  const auto request = DecodeRequest(
      R"({"code":"1","policy":{"name":"strict","limits":{"cpus":2},"network":"none","require_limits":true},)"
      R"("checks":"checked"})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->policy, "strict");
  EXPECT_EQ(request->limits.at("cpus"), 2);
  EXPECT_TRUE(request->require_limits);
  EXPECT_EQ(request->checks, ChecksMode::kChecked);
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {R"({"code":"1","policy":{"limits":{}},"limits":{"cpus":1}})", "not both"},
           {R"({"code":"1","limits":{"cpus":1},"policy":{"limits":{}}})", "not both"},
           {R"({"code":"1","policy":{"code":"2"}})", "policy.code"},
           {R"({"code":"1","policy":{"limits":{"cpus":"1"}}})", "policy.limits.cpus"},
           {R"({"code":"1","policy":7})", "\"policy\""}}) {
    const auto refused = DecodeRequest(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().message, testing::HasSubstr(words));
  }
}

TEST(RequestJson, BinaryStdin) {
  EXPECT_EQ(Decoded(R"({"code":"","stdin_base64":"/wA="})").stdin_bytes, std::string("\xff\0", 2));
  ExecutionRequest request;
  request.code = "";
  request.stdin_bytes = "\xff";
  EXPECT_EQ(EncodeRequest(request), R"({"code":"","stdin_base64":"/w=="})");
}

TEST(RequestJson, SecretsAreReferences) {
  const ExecutionRequest request = Decoded(
      R"({"code":"","secrets":{"A":"env:A","B":["env:B","file:/b"],"C":{"from":"vault:kv/c#f","as":"file"},)"
      R"("D":{"from":["aws:d"],"hosts":["api.example.com"]}}})");
  const std::vector<SecretRequest> expected = {{"A", {"env:A"}, {}, {}},
                                               {"B", {"env:B", "file:/b"}, {}, {}},
                                               {"C", {"vault:kv/c#f"}, SecretMode::kFile, {}},
                                               {"D", {"aws:d"}, {}, {"api.example.com"}}};
  EXPECT_EQ(request.secrets, expected);
  const auto encoded = EncodeRequest(request);
  ASSERT_TRUE(encoded);
  EXPECT_EQ(Decoded(*encoded).secrets, expected);
}

struct BadRequest {
  const char* text;
  const char* says;
};

class RequestJsonBad : public testing::TestWithParam<BadRequest> {};

TEST_P(RequestJsonBad, IsRefusedWithItsField) {
  const auto request = DecodeRequest(GetParam().text);
  ASSERT_FALSE(request) << GetParam().text;
  EXPECT_EQ(request.error().code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(request.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, RequestJsonBad,
    testing::Values(
        BadRequest{"", "not JSON"}, BadRequest{"[]", "the JSON text must be an object"},
        BadRequest{R"({"code":"a","code":"b"})", "twice"},
        BadRequest{R"({"cod":"a"})", "there is no field \"cod\"; known are code, command"},
        BadRequest{R"({"code":1})", "\"code\" must be a string, but is a number"},
        BadRequest{R"({"code":null})", "\"code\" must be a string, but is null"},
        BadRequest{R"({"command":["a",2]})", "\"command.1\" must be a string"},
        BadRequest{R"({"env":{"A":1}})", "\"env.A\" must be a string"},
        BadRequest{R"({"limits":{"cpus":"1"}})", "\"limits.cpus\" must be a number"},
        BadRequest{R"({"limits":{"cpus":1e400}})", "64-bit float"},
        BadRequest{R"({"require_limits":1})", "\"require_limits\" must be true or false"},
        BadRequest{R"({"files":[]})", "\"files\" must be an object"},
        BadRequest{R"({"files":{"a":{"base64":"/w"}}})", "\"files.a.base64\" must be base64"},
        BadRequest{R"({"files":{"a":{}}})", "\"files.a\" needs \"base64\""},
        BadRequest{R"({"files":{"a":{"text":""}}})", "there is no field \"files.a.text\""},
        BadRequest{R"({"workspace":{"path":"w"}})", "\"workspace.path\" must be an absolute path"},
        BadRequest{R"({"workspace":{"path":"/w\u0000x"}})", "without NUL"},
        BadRequest{R"({"workspace":{"mode":"ro"}})", "\"workspace\" needs \"path\""},
        BadRequest{R"({"workspace":{"path":"/w","mode":"wr"}})",
                   R"("workspace.mode" must be "ro", "copy" or "rw")"},
        BadRequest{R"({"mounts":[{"path":"/w"}]})", "\"mounts.0\" needs"},
        BadRequest{R"({"mounts":[{"path":"/w","inside":"/x","mode":"copy"}]})", "\"mounts.0.mode\" must be"},
        BadRequest{R"({"secrets":["env:A"]})", "\"secrets\" must be an object"},
        BadRequest{R"({"secrets":{"A":1}})", "\"secrets.A\" must be"},
        BadRequest{R"({"secrets":{"A":{"from":1}}})", "\"secrets.A.from\" must be"},
        BadRequest{R"({"secrets":{"A":{"value":"x"}}})", "there is no field \"secrets.A.value\""},
        BadRequest{R"({"secrets":{"A":{"from":"env:A","as":"disk"}}})", "\"secrets.A.as\" must be \"env\""},
        BadRequest{R"({"isolation":"vm"})", "\"isolation\" must be \"auto\""},
        BadRequest{R"({"require":"auto"})", "\"require\" must be \"process\""},
        BadRequest{R"({"stdin":"","stdin_base64":""})", "not both"}));

TEST(RequestJson, AMessageRepeatsNoLongName) {
  const auto request = DecodeRequest("{\"" + std::string(100'000, 'x') + "\":1}");
  ASSERT_FALSE(request);
  EXPECT_LT(request.error().message.size(), 1000U);
}

TEST(RequestJson, WhatJsonCannotTellIsRefused) {
  const auto refused = [](auto change) {
    ExecutionRequest request;
    request.code = "";
    change(request);
    return !EncodeRequest(request).has_value();
  };
  EXPECT_FALSE(refused([](ExecutionRequest&) {}));
  EXPECT_TRUE(refused([](ExecutionRequest& r) { r.code = "\xff"; }));
  EXPECT_TRUE(refused([](ExecutionRequest& r) { r.args = {"\xff"}; }));
  EXPECT_TRUE(refused([](ExecutionRequest& r) { r.env["A"] = "\xff"; }));
  EXPECT_TRUE(refused([](ExecutionRequest& r) {
    r.secrets = {{"A", {"env:A"}, {}, {}}, {"A", {"env:B"}, {}, {}}};
  }));
  EXPECT_TRUE(refused([](ExecutionRequest& r) { r.input_json = "{"; }));
  EXPECT_TRUE(refused([](ExecutionRequest& r) { r.stdin_fd = 0; }));
  EXPECT_TRUE(refused([](ExecutionRequest& r) { r.files = {{"a", ""}, {"a", ""}}; }));
  EXPECT_TRUE(refused([](ExecutionRequest& r) { r.files = {{"a", std::string(kRequestBytesMax, 'x')}}; }));
}

}  // namespace
}  // namespace casemate
