#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>

#include "base/clock.h"
#include "isolation/conformance/suite.h"

namespace casemate::conformance {
namespace {

using testing::HasSubstr;
using testing::Not;

void HoldsTheDeadlineAgainstStubbornness(Suite& suite) {
  for (const char* script : {"trap '' TERM INT HUP; while :; do sleep 1; done", "kill -STOP $$",
                             "(setsid sleep 100 &) ; sleep 100", "while :; do :; done"}) {
    LaunchSpec spec = suite.Shell(script);
    spec.policy.limits.wall_time_ms = 300;
    const std::int64_t start = MonotonicUs();
    EXPECT_EQ(suite.Run(spec).outcome.status, Status::kTimeout) << script;
    EXPECT_LT(MonotonicUs() - start, 10'000'000) << script;
  }
}

void CpuTimeIsBounded(Suite& suite) {
  LaunchSpec spec = suite.Shell("while :; do :; done");
  spec.policy.limits.cpu_time_ms = 300;
  EXPECT_EQ(suite.Run(spec).outcome.status, Status::kCpuLimit);
  // A program that sleeps for longer is let be.
  spec = suite.Shell("sleep 1; echo slept");
  spec.policy.limits.cpu_time_ms = suite.emulated() ? 5'000 : 900;
  EXPECT_EQ(suite.Run(spec).outcome.stdout_text, "slept\n");
}

void CpuShareIsBounded(Suite& suite) {
  LaunchSpec spec = suite.Shell("(while :; do :; done) & while :; do :; done");
  spec.policy.limits.cpus = 0.25;
  spec.policy.limits.wall_time_ms = 2'000;
  const Outcome outcome = suite.Run(spec).outcome;
  EXPECT_EQ(outcome.status, Status::kTimeout);
  EXPECT_LE(outcome.usage.cpu_ms, 1'000);
}

void MemoryIsBounded(Suite& suite) {
  LaunchSpec spec = suite.Shell("head -c 300m /dev/zero | tail -c 200m | wc -c; sleep 1; echo survived");
  spec.policy.limits.memory_bytes = 64 * kMiB;
  const Outcome outcome = suite.Run(spec).outcome;
  EXPECT_THAT(outcome.stdout_text, Not(HasSubstr("survived")));
  EXPECT_EQ(outcome.status, Status::kMemoryLimit);
}

void ProcessesAreBounded(Suite& suite) {
  LaunchSpec spec = suite.Shell("b() { b | b & }; b; sleep 5");
  spec.policy.limits.processes_max = 20;
  spec.policy.limits.wall_time_ms = 3'000;
  const Outcome outcome = suite.Run(spec).outcome;
  if (!suite.own_kernel()) {
    EXPECT_THAT(outcome.status, testing::AnyOf(Status::kProcessLimit, Status::kTimeout));
  }
  EXPECT_LE(outcome.usage.processes_peak, 20);
}

void DiskIsBounded(Suite& suite) {
  LaunchSpec spec = suite.Shell("head -c 20000000 /dev/zero > $TMPDIR/a");
  spec.policy.limits.tmp_bytes = 4 * kMiB;
  EXPECT_EQ(suite.Run(spec).outcome.status, Status::kDiskLimit);
  spec = suite.Shell("i=0; while [ $i -lt 1000 ]; do : > $TMPDIR/$i || exit 1; i=$((i+1)); done");
  spec.policy.limits.tmp_files_max = 100;
  EXPECT_EQ(suite.Run(spec).outcome.status, Status::kDiskLimit);
}

void FileSizeIsBounded(Suite& suite) {
  LaunchSpec spec = suite.Shell("head -c 3000000 /dev/zero > $TMPDIR/a; wc -c < $TMPDIR/a");
  EXPECT_EQ(suite.Run(spec).outcome.stdout_text, "3000000\n");
  spec.policy.limits.file_bytes_max = kMiB;
  EXPECT_EQ(suite.Run(spec).outcome.stdout_text, fmt::format("{}\n", kMiB));
}

void OpenFilesAreBounded(Suite& suite) {
  LaunchSpec spec = suite.Shell("");
  spec.argv = {"/bin/bash", "-c",
               "for i in $(seq 10 200); do eval \"exec $i</dev/null\" || exit 3; done; echo all"};
  EXPECT_EQ(suite.Run(spec).outcome.stdout_text, "all\n");
  spec.policy.limits.open_files_max = 100;
  EXPECT_THAT(suite.Run(spec).outcome.stdout_text, Not(HasSubstr("all")));
}

void OutputIsBounded(Suite& suite) {
  LaunchSpec spec = suite.Shell("head -c 5000 /dev/zero | tr '\\0' x");
  spec.policy.limits.stdout_bytes_max = 5'000;
  EXPECT_EQ(suite.Run(spec).outcome.status, Status::kOk);
  spec = suite.Shell("yes");
  spec.policy.limits.stdout_bytes_max = 5'000;
  const Outcome flood = suite.Run(spec).outcome;
  EXPECT_EQ(flood.status, Status::kOutputLimit);
  EXPECT_EQ(flood.stdout_text.size(), 5'000);
  EXPECT_TRUE(flood.truncated.stdout_cut);
}

constexpr std::array kCases = {
    Case{"HoldsTheDeadlineAgainstStubbornness", HoldsTheDeadlineAgainstStubbornness, PolicyClause::kWallTime},
    Case{"CpuTimeIsBounded", CpuTimeIsBounded, PolicyClause::kCpuTime},
    Case{"CpuShareIsBounded", CpuShareIsBounded, PolicyClause::kCpuShare},
    Case{"MemoryIsBounded", MemoryIsBounded, PolicyClause::kMemory},
    Case{"ProcessesAreBounded", ProcessesAreBounded, PolicyClause::kProcesses},
    Case{"DiskIsBounded", DiskIsBounded, PolicyClause::kDisk},
    Case{"FileSizeIsBounded", FileSizeIsBounded, PolicyClause::kFileSize},
    Case{"OpenFilesAreBounded", OpenFilesAreBounded, PolicyClause::kOpenFiles},
    Case{"OutputIsBounded", OutputIsBounded, PolicyClause::kOutput},
};

}  // namespace

std::span<const Case> LimitCases() { return kCases; }

}  // namespace casemate::conformance
