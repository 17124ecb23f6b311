#include "model/result_json.h"

#include <gtest/gtest.h>

#include "model/json.h"

namespace casemate {
namespace {

TEST(ResultJson, AnEmptyResultHasEveryField) {
  EXPECT_EQ(
      EncodeResult({}),
      R"({"id":"","status":"failed","exit_code":null,"signal":null,"stdout":"","stderr":"",)"
      R"("truncated":{"stdout":false,"stderr":false,"displays":false,"files":false},"result":null,)"
      R"("displays":[],"files":[],"error":null,"denials":[],"redactions":[],"checks":"open","findings":[],)"
      R"("usage":{"wall_ms":0,"cpu_ms":0,"memory_peak_bytes":0,"processes_peak":0,"tmp_peak_bytes":0,)"
      R"("stdout_bytes":0,"stderr_bytes":0},"timings":[],)"
      R"("isolation":{"tier":"container","enforced":[],"not_enforced":[],"passed_over":[]},)"
      R"("policy":"","environment":"","code_sha256":""})");
}

TEST(ResultJson, AFullResult) {
  ExecutionResult result;
  result.id = "r1";
  result.status = Status::kMemoryLimit;
  result.exit_code = 3;
  result.signal = 9;
  result.stdout_text = "caf\xc3\xa9 \xff\n";
  result.stderr_text = std::string("\0", 1);
  result.truncated.stderr_cut = true;
  result.result = *ParseJson(R"({ "n": 100000000000000000000.50, "z": -0 })");
  result.displays = {{{{"image/png", "iVBO"}, {"text/plain", "<Figure>"}}}};
  result.files = {{"out/a.bin", 3, "\x01\x02\xff", false}, {"big", 1 << 30, "", true}};
  result.error = ProgramError{"ValueError", "bad", "Traceback", "fix it"};
  result.denials = {{"syscall", "mount", 2, "none"}};
  result.usage.wall_ms = 12;
  result.timings = {{"launch", 900}};
  result.isolation = {Tier::kProcess,
                      {{"memory", "rlimit"}},
                      {{"network", "no netns", "seccomp", "sysctl"}},
                      {{Tier::kContainer, "no namespaces"}}};
  result.policy = "default";
  result.environment = "host";
  result.code_sha256 = "ab";
  const std::string text = EncodeResult(result);
  const auto decoded = DecodeResult(text);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(EncodeResult(*decoded), text);
  EXPECT_EQ(decoded->files[0].bytes, "\x01\x02\xff");
  EXPECT_EQ(decoded->signal, 9);
  const auto parsed = ParseJson(text);
  ASSERT_TRUE(parsed) << text;
  EXPECT_EQ(parsed->text(), text);
  for (
      const char* part :
      {R"("status":"memory_limit","exit_code":3,"signal":9,"stdout":"café �\n","stderr":"\u0000")",
       R"("stderr":true)", R"("result":{"n":100000000000000000000.50,"z":-0})",
       R"("displays":[{"image/png":"iVBO","text/plain":"<Figure>"}])",
       R"({"name":"out/a.bin","size_bytes":3,"content_base64":"AQL/","truncated":false})",
       R"({"name":"big","size_bytes":1073741824,"content_base64":"","truncated":true})",
       R"("error":{"type":"ValueError","message":"bad","traceback":"Traceback","hint":"fix it"})",
       R"([{"kind":"syscall","what":"mount","count":2,"remedy":"none"}])",
       R"([{"step":"launch","microseconds":900}])",
       R"({"tier":"process","enforced":[{"guarantee":"memory","mechanism":"rlimit"}],)"
       R"("not_enforced":[{"guarantee":"network","reason":"no netns","fallback":"seccomp","remedy":"sysctl"}],)"
       R"("passed_over":[{"tier":"container","reason":"no namespaces"}]})"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(ResultJson, AnEmptyResultComesBack) {
  const std::string text = EncodeResult({});
  const auto decoded = DecodeResult(text);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_FALSE(decoded->result || decoded->error || decoded->exit_code || decoded->signal);
  EXPECT_EQ(EncodeResult(*decoded), text);
}

TEST(ResultJson, OnlyAResultObjectIsOne) {
  EXPECT_TRUE(DecodeResult(R"({"id":"","status":"ok","of a newer engine":[]})"));
  for (const char* text :
       {"", "[]", "{}", R"({"id":""})", R"({"status":"ok"})", R"({"id":"","status":"fine"})",
        R"({"id":"","status":"ok","files":[{"content_base64":"?"}]})",
        R"({"id":"","status":"ok","isolation":{"tier":"x"}})",
        R"({"id":"","status":"ok","usage":{"wall_ms":1.5}})"}) {
    const auto decoded = DecodeResult(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidRequest);
  }
}

}  // namespace
}  // namespace casemate
