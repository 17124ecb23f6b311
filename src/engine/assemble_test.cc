#include "engine/assemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>

#include "model/json.h"

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(ExplainStatusTest, HasASentenceForEachEndThatNothingElseExplains) {
  const Limits limits;
  for (const Status status :
       {Status::kTimeout, Status::kCpuLimit, Status::kMemoryLimit, Status::kProcessLimit, Status::kDiskLimit,
        Status::kOutputLimit, Status::kDenied, Status::kCancelled, Status::kFailed}) {
    EXPECT_NE(ExplainStatus(status, limits).message, "") << StatusName(status);
    // Who cancelled a run knows what to do.
    EXPECT_EQ(ExplainStatus(status, limits).hint.empty(), status == Status::kCancelled) << StatusName(status);
  }
  for (const Status status :
       {Status::kOk, Status::kError, Status::kResultInvalid, Status::kRejected, Status::kUnavailable}) {
    EXPECT_EQ(ExplainStatus(status, limits).message, "") << StatusName(status);
  }
}

TEST(ExplainStatusTest, NamesTheLimitThatHeld) {
  Limits limits;
  limits.wall_time_ms = 1500;
  limits.cpu_time_ms = 2250;
  limits.memory_bytes = 33 * kMiB;
  limits.processes_max = 7;
  limits.tmp_files_max = 4321;
  EXPECT_THAT(ExplainStatus(Status::kTimeout, limits).message, HasSubstr("1.5 s"));
  EXPECT_THAT(ExplainStatus(Status::kCpuLimit, limits).message, HasSubstr("2.25 s"));
  EXPECT_THAT(ExplainStatus(Status::kMemoryLimit, limits).message, HasSubstr("33 MiB"));
  EXPECT_THAT(ExplainStatus(Status::kProcessLimit, limits).message, HasSubstr("7 processes"));
  EXPECT_THAT(ExplainStatus(Status::kDiskLimit, limits).message, HasSubstr("4321 files"));
}

struct RefusalCase {
  ErrorCode code;
  Status status;
};
class AssembleRefusalTest : public testing::TestWithParam<RefusalCase> {};

TEST_P(AssembleRefusalTest, TellsWhoseFaultItIs) {
  ExecutionResult result;
  AssembleRefusal(Error{GetParam().code, "what to do", "EPERM"}, result);
  EXPECT_EQ(result.status, GetParam().status);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->type, "casemate." + std::string(ErrorCodeName(GetParam().code)));
  EXPECT_EQ(result.error->message, "what to do (EPERM)");
}

INSTANTIATE_TEST_SUITE_P(Codes, AssembleRefusalTest,
                         testing::Values(RefusalCase{ErrorCode::kInvalidRequest, Status::kRejected},
                                         RefusalCase{ErrorCode::kNotFound, Status::kRejected},
                                         RefusalCase{ErrorCode::kUnavailable, Status::kUnavailable},
                                         RefusalCase{ErrorCode::kCancelled, Status::kCancelled},
                                         RefusalCase{ErrorCode::kInternal, Status::kFailed}));

class AssembleTest : public testing::Test {
 protected:
  AssembleTest() {
    outcome_.status = Status::kOk;
    spec_.control_channel = true;
    spec_.environment.read_only_paths = {"/usr", "/opt/py"};
  }
  void Fails(const std::string& type, std::optional<std::int64_t> err = {},
             std::optional<std::string> filename = {}) {
    outcome_.status = Status::kError;
    report_.failure = ProgramFailure{{type, "message", "traceback", ""}, err, std::move(filename)};
  }
  ExecutionResult Assembled() {
    ExecutionResult result;
    Assemble(request_, spec_, outcome_, report_, result);
    return result;
  }

  ExecutionRequest request_;
  LaunchSpec spec_;
  Outcome outcome_;
  HarnessReport report_;
};

TEST_F(AssembleTest, ThePathsThatTheSandboxHasNeedNoExplanation) {
  for (const char* path : {"/usr/x", "/opt/py", "/tmp/x", "/workspace/x", "/etc/nothing", "relative/x"}) {
    Fails("FileNotFoundError", ENOENT, path);
    EXPECT_THAT(Assembled().denials, IsEmpty()) << path;
  }
}

TEST_F(AssembleTest, ExplainsAPathOfTheHost) {
  for (const char* path : {"/home/me/data.csv", "/usrlocal", "/opt/python"}) {
    Fails("FileNotFoundError", ENOENT, path);
    const ExecutionResult result = Assembled();
    ASSERT_THAT(result.denials, SizeIs(1)) << path;
    EXPECT_EQ(result.denials[0].kind, "path");
    EXPECT_EQ(result.denials[0].what, path);
    EXPECT_THAT(result.denials[0].remedy, HasSubstr("--workspace"));
    EXPECT_EQ(result.status, Status::kError) << "an explanation changes nothing";
    EXPECT_EQ(result.error->type, "FileNotFoundError");
  }
  spec_.mounts = {{"/host", "/home/me", false}};
  Fails("FileNotFoundError", ENOENT, "/home/me/data.csv");
  EXPECT_THAT(Assembled().denials, IsEmpty()) << "mounted, and simply not there";
}

TEST_F(AssembleTest, ExplainsAReadOnlyPath) {
  Fails("OSError", EROFS, "/usr/lib/x");
  const ExecutionResult result = Assembled();
  ASSERT_THAT(result.denials, SizeIs(1));
  EXPECT_THAT(result.denials[0].remedy, HasSubstr("/tmp"));
}

TEST_F(AssembleTest, TellsOfLimitsThatTheProgramSurvived) {
  outcome_.reading.process_refusals = 3;
  outcome_.reading.tmp_full = true;
  const ExecutionResult result = Assembled();
  EXPECT_EQ(result.status, Status::kOk);
  ASSERT_THAT(result.denials, SizeIs(2));
  EXPECT_EQ(result.denials[0].what, "processes_max");
  EXPECT_EQ(result.denials[0].count, 3);
  EXPECT_EQ(result.denials[1].what, "tmp_bytes");
}

TEST_F(AssembleTest, HintsAtMoreMemoryAfterAMemoryError) {
  Fails("MemoryError");
  const ExecutionResult result = Assembled();
  EXPECT_EQ(result.status, Status::kError);
  EXPECT_THAT(result.error->hint, HasSubstr("--memory"));
}

TEST_F(AssembleTest, BelievesATooLargeFileOnlyWhenItWasSeen) {
  spec_.policy.limits.file_bytes_max = 100'000;
  Fails("OSError", EFBIG);
  outcome_.usage.tmp_peak_bytes = 10;
  EXPECT_EQ(Assembled().status, Status::kError);
  outcome_.usage.tmp_peak_bytes = 100'000;
  const ExecutionResult result = Assembled();
  EXPECT_EQ(result.status, Status::kDiskLimit);
  EXPECT_EQ(result.error->type, "OSError");
  EXPECT_NE(result.error->hint, "");
}

TEST_F(AssembleTest, BelievesInAFullDiskOnlyWhenSoMuchWasInUse) {
  spec_.policy.limits.tmp_bytes = 16 * kMiB;
  Fails("OSError", ENOSPC);
  outcome_.usage.memory_peak_bytes = 12 * kMiB;
  EXPECT_EQ(Assembled().status, Status::kError);
  outcome_.usage.memory_peak_bytes = 23 * kMiB;  // the file was deleted before anyone looked
  const ExecutionResult result = Assembled();
  EXPECT_EQ(result.status, Status::kDiskLimit);
  ASSERT_THAT(result.denials, SizeIs(1));
  EXPECT_EQ(result.denials[0].what, "tmp_bytes");
}

// What the program says of itself never improves how it ended.
TEST_F(AssembleTest, KeepsNoResultOfARunThatDidNotEndWell) {
  report_.result = ParseJson("1", {10, 1}).value();
  for (const Status status : {Status::kTimeout, Status::kMemoryLimit, Status::kError, Status::kDenied}) {
    outcome_.status = status;
    const ExecutionResult result = Assembled();
    EXPECT_EQ(result.status, status);
    EXPECT_FALSE(result.result) << StatusName(status);
  }
  outcome_.status = Status::kOk;
  EXPECT_TRUE(Assembled().result);
  spec_.control_channel = false;
  EXPECT_FALSE(Assembled().result) << "a command has no result";
}

TEST_F(AssembleTest, AResultThatCannotBeTakenSaysWhereAndWhy) {
  report_.result_invalid = ResultInvalid{"nan", "NaN is no JSON", "result[\"x\"]"};
  const ExecutionResult result = Assembled();
  EXPECT_EQ(result.status, Status::kResultInvalid);
  EXPECT_FALSE(result.result);
  EXPECT_EQ(result.error->message, "result[\"x\"]: NaN is no JSON");
  EXPECT_NE(result.error->hint, "");
}

TEST_F(AssembleTest, OurOwnFailureIsExplained) {
  outcome_.status = Status::kFailed;
  const ExecutionResult result = Assembled();
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->type, "casemate.failed");
  EXPECT_NE(result.error->message, "");
}

}  // namespace
}  // namespace casemate
