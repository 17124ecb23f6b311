#include <gtest/gtest.h>

#include <set>
#include <string>

#include "casemate/error.h"
#include "casemate/policy.h"
#include "casemate/request.h"
#include "casemate/status.h"

namespace casemate {
namespace {

TEST(Names, EveryStatusBothWays) {
  const std::set<std::string_view> names = {
      "ok",          "error",        "timeout",        "cpu_limit", "memory_limit", "process_limit",
      "disk_limit",  "output_limit", "result_invalid", "rejected",  "denied",       "cancelled",
      "unavailable", "failed"};
  std::set<std::string_view> seen;
  for (int i = 0; i <= static_cast<int>(Status::kFailed); ++i) {
    const auto status = static_cast<Status>(i);
    EXPECT_EQ(ParseStatus(StatusName(status)), status) << StatusName(status);
    seen.insert(StatusName(status));
  }
  EXPECT_EQ(seen, names);
  EXPECT_EQ(ParseStatus("OK"), std::nullopt);
  EXPECT_EQ(ParseStatus(""), std::nullopt);
}

TEST(Names, OnlyRejectedAndUnavailablePromiseThatNothingRan) {
  for (int i = 0; i <= static_cast<int>(Status::kFailed); ++i) {
    const auto status = static_cast<Status>(i);
    EXPECT_EQ(MayHaveRun(status), status != Status::kRejected && status != Status::kUnavailable);
  }
}

TEST(Names, EveryTierAndWorkspaceModeBothWays) {
  for (const char* name : {"process", "container", "docker", "gvisor", "microvm"}) {
    const auto tier = ParseTier(name);
    ASSERT_TRUE(tier) << name;
    EXPECT_EQ(TierName(*tier), name);
  }
  EXPECT_EQ(ParseTier("auto"), std::nullopt);
  EXPECT_LT(*ParseTier("process"), *ParseTier("container"));
  for (const char* name : {"ro", "copy", "rw"}) {
    const auto mode = ParseWorkspaceMode(name);
    ASSERT_TRUE(mode) << name;
    EXPECT_EQ(WorkspaceModeName(*mode), name);
  }
  EXPECT_EQ(ParseWorkspaceMode("read-only"), std::nullopt);
}

TEST(Names, EveryClauseHasItsOwnName) {
  std::set<std::string_view> names;
  for (const PolicyClause clause : kAllPolicyClauses) names.insert(PolicyClauseName(clause));
  EXPECT_EQ(names.size(), kAllPolicyClauses.size());
  EXPECT_EQ(kAllPolicyClauses.size(), static_cast<std::size_t>(PolicyClause::kTeardown) + 1);
  EXPECT_TRUE(names.contains("pid_space"));
}

TEST(Names, ErrorsReadAsASentence) {
  EXPECT_EQ(ErrorCodeName(ErrorCode::kInvalidRequest), "invalid_request");
  EXPECT_EQ(ErrorCodeName(ErrorCode::kNotFound), "not_found");
  EXPECT_EQ(ErrorCodeName(ErrorCode::kUnavailable), "unavailable");
  EXPECT_EQ(ErrorCodeName(ErrorCode::kCancelled), "cancelled");
  EXPECT_EQ(ErrorCodeName(ErrorCode::kInternal), "internal");
  EXPECT_EQ((Error{ErrorCode::kInternal, "It broke.", "mount: EPERM"}).ToString(),
            "It broke. (mount: EPERM)");
  EXPECT_EQ((Error{ErrorCode::kInternal, "It broke.", ""}).ToString(), "It broke.");
}

}  // namespace
}  // namespace casemate
