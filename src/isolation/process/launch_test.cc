// What this tier does where it differs from the others, in real runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/file.h"
#include "isolation/process/process_backend.h"
#include "supervise/supervisor.h"

namespace casemate::process {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Quiet : public RunObserver {
 public:
  void OnStdout(std::string_view /*text*/) override {}
  void OnStderr(std::string_view /*text*/) override {}
  void OnResultBytes(std::string_view /*bytes*/) override {}
  void OnDenial(const Denial& /*denial*/) override {}
};

class ProcessLaunchTest : public testing::Test {
 protected:
  ProcessLaunchTest() {
    std::string name = testing::TempDir() + "/process-launch-XXXXXX";
    place_ = fs::canonical(mkdtemp(name.data()));
    fs::permissions(place_, fs::perms(0755));
    backend_ = MakeProcessBackend(place_ + "/locks", place_);
  }
  ~ProcessLaunchTest() override { fs::remove_all(place_); }
  void SetUp() override {
    if (const auto report = backend_->Admit(Policy{}); !report) GTEST_SKIP() << report.error().message;
  }

  static LaunchSpec Shell(const std::string& script) {
    LaunchSpec spec;
    spec.id = "run-test";
    spec.environment.read_only_paths = {"/usr"};
    spec.argv = {"/bin/sh", "-c", script};
    spec.policy.limits.wall_time_ms = 20'000;
    return spec;
  }
  Outcome Run(const LaunchSpec& spec) {
    auto sandbox = backend_->Launch(spec);
    if (!sandbox) {
      ADD_FAILURE() << sandbox.error().ToString();
      return {};
    }
    Quiet observer;
    return Supervise(**sandbox, spec.policy.limits, {}, observer);
  }
  // The folders of runs that are still there.
  int Folders() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(place_))
      count += entry.path().filename().string().starts_with("casemate-run-") ? 1 : 0;
    return count;
  }

  std::string place_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(ProcessLaunchTest, TooMuchOnTheDiskEndsTheRun) {
  LaunchSpec spec = Shell("while :; do head -c 1000000 /dev/zero > $TMPDIR/$((n=n+1)); done");
  spec.policy.limits.tmp_bytes = 8 * kMiB;
  EXPECT_EQ(Run(spec).status, Status::kDiskLimit);
  spec = Shell("head -c 20000000 /dev/zero > a && echo survived");
  spec.policy.limits.tmp_bytes = 4 * kMiB;
  EXPECT_THAT(Run(spec).stdout_text, testing::Not(HasSubstr("survived")));
  EXPECT_EQ(Folders(), 0);
}

TEST_F(ProcessLaunchTest, TellsWhereTheProgramsPathsAre) {
  LaunchSpec spec = Shell("pwd; echo $HOME; cat casemate 2>/dev/null; true");
  auto sandbox = backend_->Launch(spec);
  ASSERT_TRUE(sandbox) << sandbox.error().message;
  const std::string prefix((*sandbox)->request_prefix());
  ASSERT_GT(prefix.size(), 5U);
  EXPECT_EQ(prefix[0], 'p');
  const std::string root = prefix.substr(5);
  EXPECT_EQ(static_cast<unsigned char>(prefix[1]), root.size());
  Quiet observer;
  const Outcome outcome = Supervise(**sandbox, spec.policy.limits, {}, observer);
  EXPECT_EQ(outcome.stdout_text, root + "/workspace\n" + root + "/tmp\n");
  sandbox->reset();
  EXPECT_EQ(Folders(), 0);
}

TEST_F(ProcessLaunchTest, AMountIsSeenAtItsOwnPathAlone) {
  const std::string given = place_ + "/given";
  fs::create_directory(given);
  ASSERT_TRUE(WriteFileAtomically(given + "/file", "given\n", 0644));
  LaunchSpec spec = Shell("cat " + given + "/file; cat " + place_ + "/beside");
  ASSERT_TRUE(WriteFileAtomically(place_ + "/beside", "beside\n", 0644));
  spec.mounts = {{given, given, false}};
  EXPECT_EQ(Run(spec).stdout_text, "given\n");
  spec.mounts = {{given, "/data", false}};
  const auto sandbox = backend_->Launch(spec);
  ASSERT_FALSE(sandbox);
  EXPECT_EQ(sandbox.error().code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(sandbox.error().message, HasSubstr("its own path"));
  EXPECT_EQ(Folders(), 0);
}

TEST_F(ProcessLaunchTest, ARunawayTreeIsEndedWhole) {
  // Each generation lives for an instant and is adopted; a marker tells whether any is left.
  LaunchSpec spec = Shell("f() { (f &) ; }; f; exec sleep 20");
  spec.policy.limits.wall_time_ms = 500;
  spec.policy.limits.processes_max = 30;
  EXPECT_THAT(Run(spec).status, testing::AnyOf(Status::kTimeout, Status::kProcessLimit));
  EXPECT_EQ(Folders(), 0);
}

TEST_F(ProcessLaunchTest, TheTemporaryFolderDoesNotExecute) {
  EXPECT_EQ(Run(Shell("cp /usr/bin/true $TMPDIR/t && $TMPDIR/t")).exit.exit_code, 126);
  EXPECT_EQ(Run(Shell("cp /usr/bin/true ./t && ./t")).exit.exit_code, 0);
}

}  // namespace
}  // namespace casemate::process
