#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/instrumented.h"
#include "isolation/conformance/suite.h"

namespace casemate::conformance {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

void AnswersEveryClause(Suite& suite) {
  const auto report = suite.backend().Admit(Policy{});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->tier, suite.backend().tier());
  EXPECT_EQ(report->enforced.size() + report->not_enforced.size(), kAllPolicyClauses.size());
  for (const NotEnforced& gap : report->not_enforced) {
    EXPECT_FALSE(gap.reason.empty()) << gap.guarantee;
    EXPECT_FALSE(gap.remedy.empty()) << gap.guarantee;
  }
  // For the table of docs/tiers.md (tools/tiers_page).
  for (const Enforced& held : report->enforced)
    testing::Test::RecordProperty("enforced " + held.guarantee, held.mechanism);
  for (const NotEnforced& gap : report->not_enforced)
    testing::Test::RecordProperty("not_enforced " + gap.guarantee, gap.reason);
}

void RefusesWhatIsRequiredAndMissing(Suite& suite) {
  Policy policy;
  const auto plain = suite.backend().Admit(policy);
  policy.require_limits = true;
  const auto required = suite.backend().Admit(policy);
  ASSERT_TRUE(plain);
  EXPECT_EQ(required.has_value(), plain->not_enforced.empty());
}

void GivesStreamsAndExitCode(Suite& suite) {
  const Outcome outcome = suite.RunShell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(outcome.status, Status::kError);
  EXPECT_EQ(outcome.exit.exit_code, 7);
  EXPECT_EQ(outcome.stdout_text, "out\n");
  EXPECT_EQ(outcome.stderr_text, "err\n");
  EXPECT_EQ(suite.RunShell("exit 0").status, Status::kOk);
}

void TellsASignal(Suite& suite) {
  const Outcome outcome = suite.RunShell("kill -SEGV $$");
  EXPECT_EQ(outcome.status, Status::kError);
  EXPECT_EQ(outcome.exit.signal, SIGSEGV);
}

void StdinIsWhatItWasGiven(Suite& suite) {
  LaunchSpec spec = suite.Shell("cat");
  EXPECT_EQ(suite.Run(spec).outcome.stdout_text, "");
  spec.stdin_pipe = true;
  EXPECT_EQ(suite.Run(spec, {.stdin_bytes = "hello"}).outcome.stdout_text, "hello");
}

void HasTheControlChannel(Suite& suite) {
  // dash takes one digit before a redirection: the numbers go through /proc.
  LaunchSpec spec =
      suite.Shell(fmt::format("cat /proc/self/fd/{} > /proc/self/fd/{}", kRequestFd, kResultFd));
  spec.control_channel = true;
  EXPECT_EQ(suite.Run(spec, {.request_bytes = "ping"}).result, "ping");
}

// Whoever is ended at its word, or waited for: what it wrote before is there.
void GivesAllThatWasWrittenBeforeTheEndWasTold(Suite& suite) {
  LaunchSpec spec = suite.Shell(fmt::format(
      "head -c 900000 /dev/zero | tr '\\0' x; echo last; printf '{}' > /proc/self/fd/{}; sleep 0.1",
      kLastWord, kResultFd));
  spec.control_channel = true;
  for (int i = 0; i < (suite.emulated() ? 2 : 5); ++i) {
    const Suite::Ran ran = suite.Run(spec);
    EXPECT_EQ(ran.outcome.status, Status::kOk);
    EXPECT_EQ(ran.outcome.stdout_text.size(), 900'005u);
    EXPECT_TRUE(ran.outcome.stdout_text.ends_with("last\n"));
    EXPECT_EQ(ran.result, kLastWord);
  }
}

void NothingOutlivesTheProgram(Suite& suite) {
  const std::string marker = fmt::format("7{}", getpid());  // seconds, unlike any other sleep's
  const Outcome outcome =
      suite.RunShell(fmt::format("(setsid sleep {} &) ; sleep 0.1; echo started", marker));
  EXPECT_EQ(outcome.stdout_text, "started\n");
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string command = ReadKernelFile(entry.path().string() + "/cmdline");
    EXPECT_EQ(command.find(marker), std::string::npos) << entry.path();
  }
}

void SeesNothingOfTheHost(Suite& suite) {
  const std::string secret = testing::TempDir() + fmt::format("/casemate-conformance-{}", getpid());
  ASSERT_TRUE(WriteFileAtomically(secret, "host", 0644));
  const Outcome outcome = suite.RunShell(
      fmt::format("cat {} 2>&1; for d in /home /root /var /run/secrets /srv {}; do ls $d 2>/dev/null; done; "
                  "ls -A $TMPDIR; env | cut -d= -f1 | sort | tr '\\n' ' '",
                  secret, suite.own_kernel() ? "" : "/sys"));
  unlink(secret.c_str());
  EXPECT_THAT(outcome.stdout_text, Not(HasSubstr("host\n")));
  EXPECT_THAT(outcome.stdout_text, testing::MatchesRegex("cat: [^\n]*\nHOME LANG PATH PWD TMPDIR "));
  if (!suite.private_root()) return;
  EXPECT_EQ(suite.RunShell("hostname").stdout_text, "sandbox\n");
  // A /sys may be there, with nothing in it, or with what an own kernel has there.
  const std::string sys = suite.own_kernel() ? "" : "; ls -A /sys 2>/dev/null";
  EXPECT_EQ(suite.RunShell("ls -d /home /root /var /srv 2>/dev/null" + sys + "; ls -A /run").stdout_text,
            "secrets\n");
}

void WritesOnlyWhereItMay(Suite& suite) {
  const Outcome outcome = suite.RunShell(
      "for d in / /usr /etc /proc /dev /casemate /tmp /workspace /dev/shm /var/tmp $TMPDIR/.. $TMPDIR .; do "
      "if (: > $d/probe) 2>/dev/null; then echo $d; fi; done; echo $TMPDIR");
  if (suite.private_root()) {
    EXPECT_EQ(outcome.stdout_text, "/tmp\n/workspace\n/dev/shm\n/tmp\n.\n/tmp\n");
  } else {
    const std::string temporary =
        outcome.stdout_text.substr(0, std::min(outcome.stdout_text.find('\n'), outcome.stdout_text.size()));
    EXPECT_EQ(outcome.stdout_text, temporary + "\n.\n" + temporary + "\n");
  }
}

void ReachesNoListener(Suite& suite) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string script =
      fmt::format("exec 3<>/dev/tcp/127.0.0.1/{} && echo reached; echo tried", ntohs(address.sin_port));
  LaunchSpec spec = suite.Shell("");
  spec.argv = {"/bin/bash", "-c", fmt::format("({}) 2>/dev/null; echo tried", script)};
  EXPECT_THAT(suite.Run(spec).outcome.stdout_text, testing::AnyOf("tried\n", "tried\ntried\n"));
}

void SeesOnlyItsOwnProcesses(Suite& suite) {
  const Outcome outcome =
      suite.RunShell(fmt::format("kill -0 $$ && echo own; kill -0 {} 2>/dev/null && echo seen; "
                                 "[ $(ls -d /proc/[0-9]* | wc -l) -le 6 ] && echo few",
                                 getpid()));
  EXPECT_EQ(outcome.stdout_text, "own\nfew\n");
}

// The effective user id of the host's process with `marker` in its command line; none where the host sees
// none.
std::optional<uid_t> HostUserOf(const std::string& marker) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string folder = entry.path().string();
    if (!ReadKernelFile(folder + "/cmdline").contains(marker)) continue;
    std::istringstream status(ReadKernelFile(folder + "/status"));
    std::string word;
    while (status >> word && word != "Uid:") continue;
    uid_t real = 0;
    uid_t effective = 0;
    if (status >> real >> effective) return effective;
  }
  return std::nullopt;
}

// Nobody else's: neither root nor the caller, as the host sees it while it runs.
void IsNobodyOfTheHost(Suite& suite) {
  const std::string marker = fmt::format("6{}", getpid());  // seconds, unlike any other sleep's
  LaunchSpec spec = suite.Shell("");
  spec.argv = {"/bin/sleep", marker};
  spec.policy.limits.wall_time_ms = 1'500;
  std::thread runs([&suite, &spec] { suite.Run(spec); });
  std::optional<uid_t> user;
  const std::int64_t end = MonotonicUs() + 1'400'000;
  while (!user && MonotonicUs() < end) {
    user = HostUserOf(marker);
    usleep(10'000);
  }
  runs.join();
  // A kernel of its own has processes that the host knows nothing of.
  if (!suite.own_kernel()) {
    ASSERT_TRUE(user);
  }
  if (user) {
    EXPECT_NE(*user, 0);
    EXPECT_NE(*user, geteuid());
  }
}

void HasNoPower(Suite& suite) {
  const Outcome outcome =
      suite.RunShell("exec grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Gid|Groups)' /proc/self/status");
  for (const char* line :
       {"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
        "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"}) {
    EXPECT_THAT(outcome.stdout_text, HasSubstr(line));
  }
  if (!suite.private_root()) return;
  EXPECT_THAT(outcome.stdout_text, HasSubstr("CapBnd:\t0000000000000000"));
  for (const char* name : {"Uid", "Gid"})
    EXPECT_THAT(outcome.stdout_text,
                HasSubstr(fmt::format("{0}:\t{1}\t{1}\t{1}\t{1}\n", name, suite.program_id())));
}

void TellsARefusedCall(Suite& suite) {
  // One that the filter of a container around us lets pass: what that one refuses outright, nobody is told
  // of.
  const Outcome outcome = suite.RunShell("sync; exit 3");
  EXPECT_EQ(outcome.exit.exit_code, 3);
  if (!suite.tells_refused_calls()) return;
  EXPECT_THAT(outcome.denials, testing::Contains(testing::Field(&Denial::what, HasSubstr("sync"))));
}

void TakesAndGivesFiles(Suite& suite) {
  LaunchSpec spec = suite.Shell(
      "cat in/a; echo new > out; ln -s /etc/passwd link; mkfifo pipe; mkdir -p d/e; echo x > d/e/f");
  spec.files = {{"in/a", "given"}};
  const Suite::Ran ran = suite.Run(spec);
  EXPECT_EQ(ran.outcome.stdout_text, "given");
  std::vector<std::string> names;
  for (const OutputFile& file : ran.files) names.push_back(file.name + "=" + file.bytes);
  EXPECT_THAT(names, ElementsAre("d/e/f=x\n", "in/a=given", "out=new\n"));
}

void WorkspaceModes(Suite& suite) {
  const std::string folder = testing::TempDir() + fmt::format("/casemate-workspace-{}", getpid());
  ASSERT_TRUE(MakeFolders(folder + "/sub", 0755));
  ASSERT_TRUE(WriteFileAtomically(folder + "/sub/data", "host data\n", 0644));
  // Without id-mapped mounts the program has the rights of its own id there.
  if (!suite.maps_ids() && geteuid() == 0) {
    chmod(folder.c_str(), 0777);
    chmod((folder + "/sub/data").c_str(), 0666);
  }
  LaunchSpec spec =
      suite.Shell("cat sub/data; echo changed 2>/dev/null > sub/data && cat sub/data; echo n > new; true");
  spec.workspace = Workspace{folder, WorkspaceMode::kReadOnly};
  EXPECT_EQ(suite.Run(spec).outcome.stdout_text, "host data\n");
  spec.workspace->mode = WorkspaceMode::kCopy;
  EXPECT_EQ(suite.Run(spec).outcome.stdout_text, "host data\nchanged\n");
  EXPECT_EQ(ReadKernelFile(folder + "/sub/data"), "host data");
  spec.workspace->mode = WorkspaceMode::kReadWrite;
  spec.policy.writes_host_folder = true;
  if (!suite.shares_host_folders()) {
    EXPECT_FALSE(suite.backend().Admit(spec.policy));
    const auto refused = suite.backend().Launch(spec);
    std::filesystem::remove_all(folder);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    return;
  }
  EXPECT_EQ(suite.Run(spec).outcome.stdout_text, "host data\nchanged\n");
  EXPECT_EQ(ReadKernelFile(folder + "/sub/data"), "changed");
  EXPECT_EQ(ReadKernelFile(folder + "/new"), "n");
  std::filesystem::remove_all(folder);
}

void RefusesAMissingCommand(Suite& suite) {
  LaunchSpec spec = suite.Shell("");
  spec.argv = {"no-such-command"};
  const auto sandbox = suite.backend().Launch(spec);
  ASSERT_FALSE(sandbox);
  EXPECT_EQ(sandbox.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(sandbox.error().message, HasSubstr("no-such-command"));
}

void ManyRunsLeaveNothing(Suite& suite) {
  const auto count_fds = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  suite.RunShell("true");
  const auto before = count_fds();
  const int runs = suite.emulated() ? 3 : 20;
  for (int i = 0; i < runs; ++i) EXPECT_EQ(suite.RunShell("true").status, Status::kOk);
  EXPECT_EQ(count_fds(), before);
}

// A run's pipes and sockets must not stay open in another run that starts at the same time.
void RunsSideBySide(Suite& suite) {
  if (kThreadSanitized) GTEST_SKIP() << "starts beside other threads are not for its runtime";
  constexpr int kThreads = 4;
  const int runs_each = suite.emulated() ? 1 : 8;
  std::vector<std::thread> threads;
  std::atomic<int> fine{0};
  const std::int64_t start = MonotonicUs();
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&suite, &fine, thread, runs_each] {
      for (int i = 0; i < runs_each; ++i) {
        const std::string mark = fmt::format("{}-{}", thread, i);
        fine += suite.RunShell("echo " + mark).stdout_text == mark + "\n" ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fine, kThreads * runs_each);
  // A kernel of its own starts in a third of a second of processor time.
  EXPECT_LT(MonotonicUs() - start, suite.own_kernel() ? 120'000'000 : 20'000'000);
}

constexpr std::array kCases = {
    Case{"AnswersEveryClause", AnswersEveryClause},
    Case{"RefusesWhatIsRequiredAndMissing", RefusesWhatIsRequiredAndMissing},
    Case{"GivesStreamsAndExitCode", GivesStreamsAndExitCode},
    Case{"TellsASignal", TellsASignal},
    Case{"StdinIsWhatItWasGiven", StdinIsWhatItWasGiven},
    Case{"HasTheControlChannel", HasTheControlChannel},
    Case{"GivesAllThatWasWrittenBeforeTheEndWasTold", GivesAllThatWasWrittenBeforeTheEndWasTold},
    Case{"NothingOutlivesTheProgram", NothingOutlivesTheProgram, PolicyClause::kTeardown},
    Case{"SeesNothingOfTheHost", SeesNothingOfTheHost, PolicyClause::kFilesystem, true},
    Case{"WritesOnlyWhereItMay", WritesOnlyWhereItMay, PolicyClause::kFilesystem, true},
    Case{"ReachesNoListener", ReachesNoListener, PolicyClause::kNetwork},
    Case{"SeesOnlyItsOwnProcesses", SeesOnlyItsOwnProcesses, PolicyClause::kPidSpace},
    Case{"IsNobodyOfTheHost", IsNobodyOfTheHost, PolicyClause::kIdentity},
    Case{"HasNoPower", HasNoPower, PolicyClause::kPrivileges},
    Case{"TellsARefusedCall", TellsARefusedCall, PolicyClause::kSyscalls},
    Case{"TakesAndGivesFiles", TakesAndGivesFiles},
    Case{"WorkspaceModes", WorkspaceModes},
    Case{"RefusesAMissingCommand", RefusesAMissingCommand},
    Case{"ManyRunsLeaveNothing", ManyRunsLeaveNothing},
    Case{"RunsSideBySide", RunsSideBySide},
};

}  // namespace

std::span<const Case> GeneralCases() { return kCases; }

}  // namespace casemate::conformance
