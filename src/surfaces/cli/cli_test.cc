#include "surfaces/cli/cli.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "model/json.h"

namespace casemate {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Body = std::function<ExecutionResult(const ExecutionRequest&, EventSink*, int cancel_fd)>;

class FakeEngine : public Engine {
 public:
  explicit FakeEngine(Body body) : body_(std::move(body)) {}
  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen /*cancel_when*/) override {
    return body_(request, sink, cancel_fd);
  }

 private:
  Body body_;
};

ExecutionResult Ok() {
  ExecutionResult result;
  result.status = Status::kOk;
  result.exit_code = 0;
  return result;
}

ExecutionResult Ended(Status status) {
  ExecutionResult result;
  result.status = status;
  return result;
}

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/casemate-cli-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    ::setenv("CASEMATE_SOCKET", "", 1);  // no engine of this host
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  CliServices Services() {
    CliServices services;
    services.make_engine = [this](const EngineOptions& options) -> Expected<std::unique_ptr<Engine>> {
      engine_options_ = options;
      ++engines_;
      if (engine_error_) return std::unexpected(*engine_error_);
      return std::make_unique<FakeEngine>([this](const ExecutionRequest& request, EventSink* sink, int fd) {
        request_ = request;
        ++runs_;
        return body_(request, sink, fd);
      });
    };
    services.diagnose = [this](const EngineOptions& options) {
      engine_options_ = options;
      return doctor_;
    };
    services.collect_garbage = [this](const EngineOptions&) { return garbage_; };
    return services;
  }

  int Main(const std::vector<std::string>& words, const std::string& in = "") {
    const UniqueFd input(::memfd_create("in", MFD_CLOEXEC));
    EXPECT_TRUE(WriteAll(input.get(), in, "in"));
    ::lseek(input.get(), 0, SEEK_SET);
    const UniqueFd out(::memfd_create("out", MFD_CLOEXEC));
    const UniqueFd err(::memfd_create("err", MFD_CLOEXEC));
    const int code = CliMain(words, Services(), {input.get(), out.get(), err.get()});
    ::lseek(out.get(), 0, SEEK_SET);
    ::lseek(err.get(), 0, SEEK_SET);
    out_ = ReadAll(out.get(), 1 << 26, "out").value();
    err_ = ReadAll(err.get(), 1 << 26, "err").value();
    return code;
  }

  // A refusal in one line, with nothing started.
  void ExpectRefused(const std::vector<std::string>& words, int code, const std::string& part) {
    EXPECT_EQ(Main(words), code) << err_;
    EXPECT_THAT(err_, HasSubstr(part));
    EXPECT_TRUE(err_.starts_with("casemate: ")) << err_;
    EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
    EXPECT_EQ(runs_, 0);
  }

  std::string folder_;
  Body body_ = [](const ExecutionRequest&, EventSink*, int) { return Ok(); };
  std::optional<Error> engine_error_;
  EngineOptions engine_options_;
  ExecutionRequest request_;
  DoctorReport doctor_;
  GarbageReport garbage_;
  int engines_ = 0;
  int runs_ = 0;
  std::string out_;
  std::string err_;
};

TEST_F(CliTest, VersionAndHelp) {
  EXPECT_EQ(Main({"version"}), 0);
  EXPECT_TRUE(out_.starts_with("casemate "));
  EXPECT_EQ(Main({"help"}), 0);
  EXPECT_THAT(out_, HasSubstr("timeout"));
  EXPECT_EQ(Main({"run", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("--pids-limit"));
  EXPECT_EQ(engines_, 0);
}

TEST_F(CliTest, BadCommands) {
  ExpectRefused({}, 126, "casemate help");
  ExpectRefused({"doctr"}, 126, "did you mean \"doctor\"?");
  ExpectRefused({"doctor", "--jsn"}, 126, "--jsn");
  ExpectRefused({"gc", "--state-dir"}, 126, "needs a value");
}

TEST_F(CliTest, OrdinaryRunPrintsOnlyWhatTheProgramPrints) {
  body_ = [](const ExecutionRequest&, EventSink* sink, int) {
    sink->OnEvent(StdoutEvent{"out\x1b[1m"});
    sink->OnEvent(StderrEvent{"err"});
    return Ok();
  };
  EXPECT_EQ(Main({"run", "-c", "x"}), 0);
  EXPECT_EQ(out_, "out\x1b[1m");
  EXPECT_EQ(err_, "err");
  EXPECT_EQ(request_.code, "x");
}

TEST_F(CliTest, StreamsKeepTheirOrderOnOneDescriptor) {
  body_ = [](const ExecutionRequest&, EventSink* sink, int) {
    for (int i = 0; i < 1000; ++i) {
      sink->OnEvent(StdoutEvent{"o"});
      sink->OnEvent(StderrEvent{"e"});
    }
    return Ok();
  };
  const UniqueFd both(::memfd_create("both", MFD_CLOEXEC));
  EXPECT_EQ(CliMain({"run", "-c", "x"}, Services(), {-1, both.get(), both.get()}), 0);
  ::lseek(both.get(), 0, SEEK_SET);
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += "oe";
  EXPECT_EQ(ReadAll(both.get(), 1 << 20, "both").value(), expected);
}

TEST_F(CliTest, ProgramFromFileAndStdin) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/app.py", "print(2)", 0644));
  EXPECT_EQ(Main({"run", folder_ + "/app.py", "a", "-b"}), 0);
  EXPECT_EQ(request_.code, "print(2)");
  EXPECT_EQ(request_.code_name, "app.py");
  EXPECT_EQ(request_.args, (std::vector<std::string>{"a", "-b"}));
  EXPECT_EQ(Main({"run", "-"}, "print(3)"), 0);
  EXPECT_EQ(request_.code, "print(3)");
  EXPECT_EQ(request_.stdin_fd, -1);
}

TEST_F(CliTest, InputFilesSchemasAndStdin) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/in.json", "[1]", 0644));
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/env", "A=file\nB=2\n", 0644));
  EXPECT_EQ(Main({"run", "--input", "@" + folder_ + "/in.json", "--input-schema", "{}", "--result-schema",
                  "true", "--file", "a/b.csv=" + folder_ + "/in.json", "--file", "c=-", "--env-file",
                  folder_ + "/env", "-e", "A=flag", "-c", "x"},
                 "piped"),
            0);
  EXPECT_EQ(request_.input_json, "[1]");
  EXPECT_EQ(request_.input_schema, "{}");
  EXPECT_EQ(request_.result_schema, "true");
  ASSERT_EQ(request_.files.size(), 2U);
  EXPECT_EQ(request_.files[0].name, "a/b.csv");
  EXPECT_EQ(request_.files[1].bytes, "piped");
  EXPECT_EQ(request_.env, (std::map<std::string, std::string>{{"A", "flag"}, {"B", "2"}}));
  EXPECT_EQ(Main({"run", "-i", "-c", "x"}), 0);
  EXPECT_GE(request_.stdin_fd, 0);
}

TEST_F(CliTest, BadInputStartsNothing) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/env", "A=1\nB C\n", 0644));
  ExpectRefused({"run"}, 127, "nothing to run");
  ExpectRefused({"run", folder_ + "/missing.py"}, 127, "missing.py is not there");
  ExpectRefused({"run", folder_}, 126, "cannot be read");
  ExpectRefused({"run", "--bogus", "-c", "x"}, 126, "--bogus");
  ExpectRefused({"run", "--memory", "1", "-c", "x"}, 126, "--memory");
  ExpectRefused({"run", "--input", "@" + folder_ + "/missing", "-c", "x"}, 126, "the input");
  ExpectRefused({"run", "--env-file", folder_ + "/env", "-c", "x"}, 126, "line 2");
  ExpectRefused({"run", "--output-dir", folder_ + "/env/x", "-c", "x"}, 126, "--output-dir");
  EXPECT_EQ(engines_, 0);
}

TEST_F(CliTest, RefusalIsAResultToo) {
  EXPECT_EQ(Main({"run", "--json", "--memory", "1", "-c", "x"}), 126);
  ASSERT_TRUE(ParseJson(out_)) << out_;
  EXPECT_THAT(out_, HasSubstr(R"("status":"rejected")"));
  EXPECT_THAT(out_, HasSubstr(R"("type":"casemate.invalid_request")"));
  EXPECT_EQ(Main({"run", "--json", "/missing.py"}), 127);
  EXPECT_THAT(out_, HasSubstr(R"("type":"casemate.not_found")"));
}

TEST_F(CliTest, EngineThatCannotBeMade) {
  engine_error_ = Error{ErrorCode::kUnavailable, "no user namespaces: run sysctl x=1", "clone: EPERM"};
  EXPECT_EQ(Main({"run", "-c", "x"}), 126);
  EXPECT_EQ(err_, "casemate: no user namespaces: run sysctl x=1 (clone: EPERM)\n");
  engine_error_->code = ErrorCode::kInternal;
  EXPECT_EQ(Main({"run", "--json", "-c", "x"}), 125);
  EXPECT_THAT(out_, HasSubstr(R"("status":"failed")"));
  engine_error_->code = ErrorCode::kNotFound;
  EXPECT_EQ(Main({"run", "-c", "x"}), 127);
}

TEST_F(CliTest, JsonIsTheOnlyThingOnStdout) {
  body_ = [](const ExecutionRequest&, EventSink* sink, int) {
    EXPECT_EQ(sink, nullptr);
    ExecutionResult result = Ended(Status::kTimeout);
    result.stdout_text = "half\xff";
    result.denials = {{"syscall", "mount", 1, "none"}};
    return result;
  };
  EXPECT_EQ(Main({"run", "--json", "-c", "x"}), 124);
  EXPECT_TRUE(out_.ends_with("}\n"));
  ASSERT_TRUE(ParseJson(out_)) << out_;
  EXPECT_THAT(out_, HasSubstr(R"("status":"timeout")"));
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(CliTest, SummaryTellsTheUnusualInOneLineEach) {
  body_ = [](const ExecutionRequest&, EventSink*, int) {
    ExecutionResult result = Ended(Status::kMemoryLimit);
    result.denials = {{"network", "connect 192.0.2.1:443", 3, "hand the data in with --input"}};
    result.truncated.stdout_cut = true;
    result.isolation.not_enforced = {{"memory", "no cgroup", "RLIMIT_AS", "delegate"}};
    return result;
  };
  EXPECT_EQ(Main({"run", "-c", "x"}), 137);
  EXPECT_EQ(err_,
            "memory_limit the program used more memory than it may: raise --memory\n"
            "denied    network connect 192.0.2.1:443 (3 times): hand the data in with --input\n"
            "cut       stdout is not complete: raise --stdout-limit\n"
            "weaker    not fully enforced on this host: memory (casemate doctor tells the remedy)\n");
  EXPECT_EQ(Main({"run", "-q", "-c", "x"}), 137);
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(CliTest, EveryStatusButOkAndErrorIsExplained) {
  for (int i = 0; i <= static_cast<int>(Status::kFailed); ++i) {
    const auto status = static_cast<Status>(i);
    body_ = [status](const ExecutionRequest&, EventSink*, int) { return Ended(status); };
    Main({"run", "-c", "x"});
    const bool silent = status == Status::kOk || status == Status::kError;
    EXPECT_EQ(err_.empty(), silent) << StatusName(status);
    if (!silent) {
      const bool ran = MayHaveRun(status) && status != Status::kFailed;
      EXPECT_TRUE(err_.starts_with(ran ? StatusName(status) : "casemate: ")) << err_;
    }
  }
}

TEST_F(CliTest, HintOfAnExceptionIsShown) {
  body_ = [](const ExecutionRequest&, EventSink*, int) {
    ExecutionResult result = Ended(Status::kError);
    result.exit_code = 1;
    result.error = ProgramError{"ModuleNotFoundError", "No module named 'x'", "", "install it on the host"};
    return result;
  };
  EXPECT_EQ(Main({"run", "-c", "x"}), 1);
  EXPECT_EQ(err_, "hint      install it on the host\n");
}

TEST_F(CliTest, EnginesRefusalIsOneSentenceAlsoBesideJson) {
  body_ = [](const ExecutionRequest&, EventSink*, int) {
    ExecutionResult result = Ended(Status::kRejected);
    result.error = ProgramError{"casemate.not_found", "there is no command \"x\": check its name", "", ""};
    return result;
  };
  for (const bool json : {false, true}) {
    EXPECT_EQ(Main(json ? std::vector<std::string>{"run", "--json", "--", "x"}
                        : std::vector<std::string>{"run", "--", "x"}),
              127);
    EXPECT_EQ(err_, "casemate: there is no command \"x\": check its name\n");
    EXPECT_EQ(out_.empty(), !json);
  }
}

TEST_F(CliTest, QuietStillSaysWhyNothingRan) {
  body_ = [](const ExecutionRequest&, EventSink*, int) {
    ExecutionResult result = Ended(Status::kUnavailable);
    result.error = ProgramError{"casemate.unavailable", "no cgroup", "", "delegate one"};
    return result;
  };
  EXPECT_EQ(Main({"run", "-q", "-c", "x"}), 126);
  EXPECT_THAT(err_, HasSubstr("no cgroup: delegate one"));
}

TEST_F(CliTest, ProgramsWordsCannotDriveTheTerminal) {
  body_ = [](const ExecutionRequest&, EventSink*, int) {
    ExecutionResult result = Ok();
    result.result = *ParseJson(
        // NOLINTNEXTLINE(misc-misleading-bidirectional): what is tested
        "\"\xc2\x9b"
        "31m\xe2\x80\xae\"");
    result.denials = {{"path", "/x\x1b]0;owned\x07\n", 1, "\x1b[2J"}};
    result.files = {{"a\x1b[1m", 1, "x", false}};
    result.displays = {{{{"text/\x1b[5m", "x"}}}};
    return result;
  };
  EXPECT_EQ(Main({"run", "-c", "x"}), 0);
  EXPECT_THAT(err_, Not(HasSubstr("\x1b")));
  EXPECT_THAT(err_, Not(HasSubstr("\xc2\x9b")));
  EXPECT_THAT(err_, HasSubstr("\\x1b]0;owned\\x07\\n"));
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 4);
}

TEST_F(CliTest, LongResultIsShortenedForPeopleOnly) {
  body_ = [](const ExecutionRequest&, EventSink*, int) {
    ExecutionResult result = Ok();
    result.result = *ParseJson("\"" + std::string(10'000, 'x') + "\"");
    return result;
  };
  EXPECT_EQ(Main({"run", "-c", "x"}), 0);
  EXPECT_LT(err_.size(), 300U);
  EXPECT_THAT(err_, HasSubstr("…"));
  EXPECT_EQ(Main({"run", "--json", "-c", "x"}), 0);
  EXPECT_GT(out_.size(), 10'000U);
}

TEST_F(CliTest, FilesAndDisplaysGoToTheOutputFolder) {
  body_ = [](const ExecutionRequest&, EventSink*, int) {
    ExecutionResult result = Ok();
    result.files = {{"out/data.csv", 1, "1", false}, {"../../evil", 1, "x", false}};
    result.displays = {{{{"text/html", "<p>"}}}};
    return result;
  };
  EXPECT_EQ(Main({"run", "--collect", "**", "--output-dir", folder_ + "/o", "-c", "x"}), 0);
  EXPECT_EQ(ReadFile(folder_ + "/o/out/data.csv", 10).value(), "1");
  EXPECT_EQ(ReadFile(folder_ + "/o/display-1.html", 10).value(), "<p>");
  EXPECT_THAT(err_, HasSubstr("wrote     out/data.csv\n"));
  EXPECT_THAT(err_, HasSubstr("problem   the file \"../../evil\" was not written"));
  EXPECT_EQ(request_.collect, std::vector<std::string>{"**"});
}

TEST_F(CliTest, SlowReaderDoesNotHoldUpTheEngine) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  std::atomic<std::int64_t> engine_us = 0;
  const std::string chunk(64 * 1024, 'x');
  body_ = [&](const ExecutionRequest&, EventSink* sink, int) {
    const std::int64_t start = MonotonicUs();
    for (int i = 0; i < 16; ++i) sink->OnEvent(StdoutEvent{chunk});  // sixteen times what the pipe holds
    engine_us = MonotonicUs() - start;
    return Ok();
  };
  std::size_t received = 0;
  std::thread reader([&] {
    ::usleep(300'000);
    std::array<char, 65536> buffer{};
    for (ssize_t n = 0; (n = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;) {
      received += static_cast<std::size_t>(n);
    }
  });
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(CliMain({"run", "-c", "x"}, Services(), {null.get(), write_end.get(), null.get()}), 0);
  write_end.reset();
  reader.join();
  EXPECT_EQ(received, 16U * 64 * 1024);
  EXPECT_LT(engine_us, 250'000) << "the engine waited for the reader";
}

// Waits as an engine does; cancelled or, for a broken test, at its end after ten seconds.
ExecutionResult WaitForCancel(int cancel_fd) {
  pollfd fd{cancel_fd, POLLIN, 0};
  while (::poll(&fd, 1, 10'000) < 0 && errno == EINTR) {
  }
  return Ended(fd.revents != 0 ? Status::kCancelled : Status::kOk);
}

TEST_F(CliTest, ReaderThatIsGoneEndsTheRun) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  UniqueFd read_end(fds[0]);
  const UniqueFd write_end(fds[1]);
  read_end.reset();
  body_ = [](const ExecutionRequest&, EventSink* sink, int cancel_fd) {
    sink->OnEvent(StdoutEvent{"x"});
    return WaitForCancel(cancel_fd);
  };
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(CliMain({"run", "-c", "x"}, Services(), {null.get(), write_end.get(), null.get()}), 141);
}

TEST_F(CliTest, FullDiskOnStdoutIsTold) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full.valid()) GTEST_SKIP() << "no /dev/full";
  const UniqueFd err(::memfd_create("err", MFD_CLOEXEC));
  EXPECT_EQ(CliMain({"run", "--json", "-c", "x"}, Services(), {0, full.get(), err.get()}), 125);
  ::lseek(err.get(), 0, SEEK_SET);
  EXPECT_THAT(ReadAll(err.get(), 1000, "err").value(), HasSubstr("ENOSPC"));
}

TEST_F(CliTest, SignalsCancelAndTheirNumberIsTold) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    std::atomic<bool> running = false;
    body_ = [&](const ExecutionRequest&, EventSink*, int cancel_fd) {
      running = true;
      return WaitForCancel(cancel_fd);
    };
    const pid_t pid = ::getpid();
    std::thread killer([&] {
      while (!running) ::usleep(1000);
      ::kill(pid, number);
    });
    EXPECT_EQ(Main({"run", "-c", "x"}), 128 + number);
    killer.join();
    EXPECT_TRUE(err_.starts_with("cancelled ")) << err_;
  }
}

TEST_F(CliTest, ThirdSignalEndsAnEngineThatHangs) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    body_ = [&](const ExecutionRequest&, EventSink*, int) {
      (void)!::write(fds[1], "r", 1);
      for (;;) ::usleep(10'000);
      return Ok();
    };
    CliMain({"run", "-c", "x"}, Services(), {0, 1, 2});
    ::_exit(99);
  }
  char ready = 0;
  ASSERT_EQ(::read(fds[0], &ready, 1), 1);
  int status = 0;
  for (int i = 0; i < 3; ++i) {
    ::kill(child, SIGINT);
    ::usleep(50'000);
    if (i < 2) {
      EXPECT_EQ(::waitpid(child, &status, WNOHANG), 0) << "it still cleans up";
    }
  }
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST_F(CliTest, StoppedReaderIsGivenUpAfterACancel) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(fds[0]);  // open, never read
  const UniqueFd write_end(fds[1]);
  const std::string chunk(256 * 1024, 'x');
  body_ = [&](const ExecutionRequest&, EventSink* sink, int cancel_fd) {
    sink->OnEvent(StdoutEvent{chunk});
    ::raise(SIGTERM);
    return WaitForCancel(cancel_fd);
  };
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(CliMain({"run", "-c", "x"}, Services(), {null.get(), write_end.get(), null.get()}), 143);
}

TEST_F(CliTest, DoctorAndGc) {
  doctor_.healthy = true;
  EXPECT_EQ(Main({"doctor", "--python=/x/python", "--state-dir", "/s"}), 0);
  EXPECT_EQ(engine_options_.python, "/x/python");
  EXPECT_EQ(engine_options_.state_dir, "/s");
  doctor_.healthy = false;
  EXPECT_EQ(Main({"doctor", "--json"}), 1);
  EXPECT_TRUE(ParseJson(out_)) << out_;
  EXPECT_EQ(Main({"gc"}), 0);
  garbage_.kept = {"/x: busy"};
  EXPECT_EQ(Main({"gc", "--json"}), 1);
  EXPECT_EQ(out_, "{\"removed\":[],\"kept\":[\"/x: busy\"]}\n");
}

}  // namespace
}  // namespace casemate
