#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/writer.h"
#include "base/file.h"
#include "base/sha256.h"
#include "engine/engine_fixture.h"

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class AuditedEngineTest : public EngineTest {
 protected:
  AuditedEngineTest() {
    std::string name = testing::TempDir() + "/audited-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~AuditedEngineTest() override { std::filesystem::remove_all(folder_); }

  ExecutionResult RunAudited(const std::string& state_dir, fake::Script script = {}) {
    audit_ = std::make_shared<audit::Writer>(audit::WriterOptions{.state_dir = state_dir});
    return Run(std::move(script));
  }
  // The log's lines, without the one that begins it.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    std::istringstream text(ReadFile(folder_ + "/audit/00000001.jsonl", 1 << 20).value_or(""));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    if (!lines.empty()) lines.erase(lines.begin());
    return lines;
  }
  std::string folder_;
};

TEST_F(AuditedEngineTest, RecordsIntentAndOutcomeWithoutValues) {
  constexpr const char* kPlanted = "PLANTED-SECRET-VALUE";
  request_.code = std::string("print('") + kPlanted + "')";
  request_.env = {{"TOKEN", kPlanted}};
  request_.input_json = std::string("\"") + kPlanted + "\"";
  request_.args = {kPlanted};
  request_.stdin_bytes = kPlanted;
  request_.files = {{"data.txt", kPlanted}};
  const ExecutionResult result = RunAudited(
      folder_, {.stdout_text = kPlanted, .result_bytes = Resulting(std::string("\"") + kPlanted + "\"")});
  EXPECT_EQ(result.status, Status::kOk);
  const std::vector<std::string> lines = Lines();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[0], HasSubstr("\"kind\":\"intent\""));
  EXPECT_THAT(lines[0], HasSubstr(result.id));
  EXPECT_THAT(lines[0], HasSubstr(result.code_sha256));
  EXPECT_THAT(lines[0], HasSubstr("\"TOKEN\""));
  EXPECT_THAT(lines[1], HasSubstr("\"kind\":\"outcome\""));
  EXPECT_THAT(lines[1], HasSubstr("\"status\":\"ok\""));
  EXPECT_THAT(lines[1], HasSubstr(Sha256Hex(kPlanted)));
  for (const std::string& line : lines) EXPECT_THAT(line, testing::Not(HasSubstr(kPlanted)));
}

// The hash of a policy is kept for the next run, which may have another one.
TEST_F(AuditedEngineTest, EachRunIsRecordedWithThePolicyThatHeldIt) {
  for (const double seconds : {1.0, 2.0, 2.0, 1.0}) {
    request_.limits["wall_time_ms"] = seconds * 1000;
    EXPECT_EQ(RunAudited(folder_).status, Status::kOk);
  }
  std::vector<std::string> hashes;
  for (const std::string& line : Lines()) {
    constexpr std::string_view kPolicy = R"("policy":{"name":"default","sha256":")";
    const std::size_t at = line.find(kPolicy);
    if (at != std::string::npos) hashes.push_back(line.substr(at + kPolicy.size(), 64));
  }
  ASSERT_THAT(hashes, SizeIs(4));
  EXPECT_NE(hashes[0], hashes[1]);
  EXPECT_EQ(hashes[1], hashes[2]);
  EXPECT_EQ(hashes[0], hashes[3]);
}

TEST_F(AuditedEngineTest, RecordsWhatWasTakenOutAndNotTheThing) {
  const std::string token = "ghp_" + std::string(18, 'a') + std::string(18, '7');
  const ExecutionResult result = RunAudited(folder_, {.stdout_text = "a " + token + " b"});
  EXPECT_EQ(result.status, Status::kOk);
  const std::vector<std::string> lines = Lines();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[1], HasSubstr(R"("redactions":[{"rule":"github_token","where":"stdout","count":1}])"));
  EXPECT_THAT(lines[1], testing::Not(HasSubstr(token)));
}

TEST_F(AuditedEngineTest, RecordsWhatWasRefused) {
  request_.policy = "nonesuch";
  EXPECT_EQ(RunAudited(folder_).status, Status::kRejected);
  const std::vector<std::string> lines = Lines();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[1], HasSubstr("\"status\":\"rejected\""));
}

TEST_F(AuditedEngineTest, RunsNothingThatItCannotRecord) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/file", "", 0600));
  const ExecutionResult result = RunAudited(folder_ + "/file");
  EXPECT_EQ(result.status, Status::kUnavailable);
  EXPECT_FALSE(launched_);
  ASSERT_TRUE(result.error);
  EXPECT_THAT(result.error->message, HasSubstr("audit log"));
}

TEST_F(AuditedEngineTest, AnOutcomeThatCannotBeRecordedIsOurFailure) {
  events_.then = [this] {
    std::filesystem::remove_all(folder_ + "/audit");
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/audit", "", 0600));
  };
  const ExecutionResult result = RunAudited(folder_, {.stdout_text = "x"});
  EXPECT_EQ(result.status, Status::kFailed);
  EXPECT_EQ(result.stdout_text, "x");
}

}  // namespace
}  // namespace casemate
