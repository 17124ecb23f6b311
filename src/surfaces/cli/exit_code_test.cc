#include "surfaces/cli/exit_code.h"

#include <gtest/gtest.h>

#include <csignal>
#include <set>

namespace casemate {
namespace {

ExecutionResult Result(Status status) {
  ExecutionResult result;
  result.status = status;
  return result;
}

TEST(ExitCodeTest, EveryStatusHasOneRow) {
  std::set<Status> seen;
  for (const StatusExit& row : StatusExits()) {
    EXPECT_TRUE(seen.insert(row.status).second) << StatusName(row.status);
    EXPECT_FALSE(row.reason.empty());
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(Status::kFailed) + 1);
}

TEST(ExitCodeTest, TheDesignsCodes) {
  EXPECT_EQ(ExitCodeOf(Result(Status::kOk), 0), 0);
  EXPECT_EQ(ExitCodeOf(Result(Status::kTimeout), 0), 124);
  EXPECT_EQ(ExitCodeOf(Result(Status::kFailed), 0), 125);
  EXPECT_EQ(ExitCodeOf(Result(Status::kRejected), 0), 126);
  EXPECT_EQ(ExitCodeOf(Result(Status::kUnavailable), 0), 126);
  EXPECT_EQ(ExitCodeOf(Result(Status::kMemoryLimit), 0), 137);
}

TEST(ExitCodeTest, OnlyOkIsZero) {
  for (const StatusExit& row : StatusExits()) {
    EXPECT_EQ(ExitCodeOf(Result(row.status), 0) == 0, row.status == Status::kOk) << StatusName(row.status);
  }
}

TEST(ExitCodeTest, TheProgramsOwn) {
  ExecutionResult result = Result(Status::kError);
  result.exit_code = 3;
  EXPECT_EQ(ExitCodeOf(result, 0), 3);
  result.exit_code.reset();
  result.signal = SIGSEGV;
  EXPECT_EQ(ExitCodeOf(result, 0), 128 + SIGSEGV);
}

TEST(ExitCodeTest, NothingToRunIs127OnlyWhenItNeverRan) {
  ExecutionResult result = Result(Status::kRejected);
  result.error = ProgramError{"casemate.not_found", "", "", ""};
  EXPECT_EQ(ExitCodeOf(result, 0), 127);
  result.status = Status::kUnavailable;
  EXPECT_EQ(ExitCodeOf(result, 0), 127);
  result.status = Status::kError;
  result.exit_code = 1;
  EXPECT_EQ(ExitCodeOf(result, 0), 1) << "a program may name its exceptions as it likes";
}

TEST(ExitCodeTest, CancelledTellsTheSignal) {
  EXPECT_EQ(ExitCodeOf(Result(Status::kCancelled), 0), 130);
  EXPECT_EQ(ExitCodeOf(Result(Status::kCancelled), SIGTERM), 143);
  EXPECT_EQ(ExitCodeOf(Result(Status::kOk), SIGTERM), 0) << "it came too late";
}

}  // namespace
}  // namespace casemate
