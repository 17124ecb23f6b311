// `casemate serve` and `casemate run` at its socket, with an engine that is made up.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "model/result_json.h"
#include "surfaces/cli/cli.h"
#include "surfaces/cli/serve_command.h"
#include "surfaces/http/socket.h"

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Echoes what it is given; `id` tells which engine it was.
class EchoEngine : public Engine {
 public:
  explicit EchoEngine(std::string id) : id_(std::move(id)) {}
  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int /*cancel_fd*/,
                          CancelWhen /*cancel_when*/) override {
    ExecutionResult result;
    result.id = id_;
    result.status = Status::kError;
    result.exit_code = 3;
    const std::string text = id_ + ":" + request.code.value_or("") + ":" + request.stdin_bytes;
    if (sink != nullptr) sink->OnEvent(StdoutEvent{text});
    if (request.keep_streams) result.stdout_text = text;
    if (request.stdin_fd >= 0) result.stderr_text = "live stdin";
    if (sink != nullptr) sink->OnEvent(FinishedEvent{&result});
    return result;
  }

 private:
  std::string id_;
};

class ServeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/casemate-serve-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    socket_ = folder_ + "/engine.sock";
    ::unsetenv("VIRTUAL_ENV");
    ::unsetenv("CASEMATE_PYTHON");
    ::unsetenv("NOTIFY_SOCKET");
    ::setenv("CASEMATE_SOCKET", socket_.c_str(), 1);
  }
  void TearDown() override {
    StopServing();
    ::setenv("CASEMATE_SOCKET", "", 1);
    std::filesystem::remove_all(folder_);
  }

  static CliServices Services(const std::string& id) {
    CliServices services;
    services.make_engine = [id](const EngineOptions&) -> Expected<std::unique_ptr<Engine>> {
      return std::make_unique<EchoEngine>(id);
    };
    services.serve = [services](const std::vector<std::string>& words, const CliStreams& streams) {
      return ServeCommandLine(words, services, streams);
    };
    return services;
  }

  // `casemate serve` on a thread of its own; SIGINT to this process ends it.
  void Serve(const std::vector<std::string>& flags = {}) {
    served_err_.reset(::memfd_create("err", MFD_CLOEXEC));
    std::vector<std::string> words = {"serve", "--socket", socket_};
    words.insert(words.end(), flags.begin(), flags.end());
    serving_ = std::thread([this, words] {
      serve_code_ = CliMain(words, Services("resident"), {-1, -1, served_err_.get()});
    });
    const Deadline deadline = Deadline::After(20'000);
    while (!http::Connect(socket_) && !deadline.Passed()) ::usleep(1000);
  }
  void StopServing() {
    if (!serving_.joinable()) return;
    ::kill(::getpid(), SIGTERM);
    serving_.join();
  }

  int Run(const std::vector<std::string>& words, int in) {
    const UniqueFd out(::memfd_create("out", MFD_CLOEXEC));
    const UniqueFd err(::memfd_create("err", MFD_CLOEXEC));
    std::vector<std::string> all = {"run"};
    all.insert(all.end(), words.begin(), words.end());
    const int code = CliMain(all, Services("cold"), {in, out.get(), err.get()});
    out_ = TextOf(out.get());
    err_ = TextOf(err.get());
    return code;
  }
  int Run(const std::vector<std::string>& words) {
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return Run(words, null.get());
  }
  static std::string TextOf(int fd) {
    ::lseek(fd, 0, SEEK_SET);
    return ReadAll(fd, 1 << 20, "text").value();
  }
  UniqueFd FileWith(std::string_view text) const {
    const std::string path = folder_ + "/file";
    EXPECT_TRUE(WriteFileAtomically(path, text, 0600));
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }

  std::string folder_;
  std::string socket_;
  std::thread serving_;
  UniqueFd served_err_;
  int serve_code_ = -1;
  std::string out_;
  std::string err_;
};

TEST_F(ServeTest, ServesUntilASignal) {
  Serve();
  StopServing();
  EXPECT_EQ(serve_code_, 0);
  EXPECT_THAT(TextOf(served_err_.get()), HasSubstr("serving at " + socket_));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(ServeTest, RunsGoToTheEngineThatIsThere) {
  EXPECT_EQ(Run({"-c", "x"}), 3);
  EXPECT_EQ(out_, "cold:x:");
  Serve();
  EXPECT_EQ(Run({"-c", "x"}), 3);
  EXPECT_EQ(out_, "resident:x:");
  EXPECT_EQ(Run({"--json", "-c", "x"}), 3);
  EXPECT_EQ(DecodeResult(out_)->stdout_text, "resident:x:");
  EXPECT_EQ(Run({"--no-engine", "-c", "x"}), 3);
  EXPECT_EQ(out_, "cold:x:");
  ::setenv("CASEMATE_SOCKET", "", 1);
  Run({"-c", "x"});
  EXPECT_EQ(out_, "cold:x:");
  EXPECT_EQ(Run({"--engine", socket_, "-c", "x"}), 3);
  EXPECT_EQ(out_, "resident:x:");
}

TEST_F(ServeTest, WhatChoosesAnInterpreterChoosesAColdRun) {
  Serve();
  Run({"--python", "/usr/bin/python3", "-c", "x"});
  EXPECT_EQ(out_, "cold:x:");
  Run({"--state-dir", folder_, "-c", "x"});
  EXPECT_EQ(out_, "cold:x:");
  ::setenv("VIRTUAL_ENV", "/venv", 1);
  Run({"-c", "x"});
  EXPECT_EQ(out_, "cold:x:");
  Run({"--engine", socket_, "-c", "x"});
  EXPECT_EQ(out_, "resident:x:");
  EXPECT_EQ(Run({"--engine", socket_, "--python", "/usr/bin/python3", "-c", "x"}), 126);
  EXPECT_THAT(err_, HasSubstr("leave out --engine"));
}

TEST_F(ServeTest, AStdinThatIsThereGoesAlong) {
  Serve();
  Run({"-i", "-c", "x"});
  EXPECT_EQ(out_, "resident:x:");
  const UniqueFd file = FileWith("0123456789");
  ::lseek(file.get(), 4, SEEK_SET);
  Run({"-i", "-c", "x"}, file.get());
  EXPECT_EQ(out_, "resident:x:456789");
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 10) << "it has been read";
  Run({"-i", "-c", "x"}, file.get());
  EXPECT_EQ(out_, "resident:x:");
  EXPECT_EQ(Run({"-i", "-c", "x"}, -1), 3) << "a closed one is at its end";
}

TEST_F(ServeTest, EndsWhenItsLifelineIsClosed) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd watched(ends[0]);
  UniqueFd held(ends[1]);
  Serve({"--lifeline", std::to_string(watched.get())});
  EXPECT_EQ(::write(held.get(), "x", 1), 1);
  EXPECT_EQ(Run({"--engine", socket_, "-c", "x"}), 3) << "bytes are not the end";
  held.reset();
  serving_.join();
  EXPECT_EQ(serve_code_, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_)) << "it was empty";
}

TEST_F(ServeTest, LeavesAFolderThatHoldsMore) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd watched(ends[0]);
  UniqueFd held(ends[1]);
  const UniqueFd file = FileWith("text");
  Serve({"--lifeline", std::to_string(watched.get())});
  held.reset();
  serving_.join();
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/file"));
}

TEST_F(ServeTest, ALifelineMustBeOne) {
  const UniqueFd err(::memfd_create("err", MFD_CLOEXEC));
  EXPECT_EQ(CliMain({"serve", "--socket", socket_, "--lifeline", "999999"}, Services("resident"),
                    {-1, -1, err.get()}),
            126);
  EXPECT_THAT(TextOf(err.get()), HasSubstr("--lifeline 999999: there is no open pipe or socket"));
}

TEST_F(ServeTest, AStdinThatIsStillComingStaysHere) {
  Serve();
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd from(ends[0]);
  const UniqueFd to(ends[1]);
  Run({"--json", "-i", "-c", "x"}, from.get());
  EXPECT_EQ(DecodeResult(out_)->stderr_text, "live stdin");
  EXPECT_EQ(Run({"--engine", socket_, "-i", "-c", "x"}, from.get()), 126);
  EXPECT_THAT(err_, HasSubstr("takes no stdin that is a pipe"));
  const UniqueFd large = FileWith(std::string((1 << 20) + 1, 'x'));
  Run({"--json", "-i", "-c", "x"}, large.get());
  EXPECT_EQ(DecodeResult(out_)->stderr_text, "live stdin");
  EXPECT_EQ(::lseek(large.get(), 0, SEEK_CUR), 0) << "nothing of it is lost";
  // The size of such a file says nothing.
  const UniqueFd process(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  Run({"--json", "-i", "-c", "x"}, process.get());
  EXPECT_EQ(DecodeResult(out_)->stderr_text, "live stdin");
}

TEST_F(ServeTest, AnEngineThatIsNamedMustBeThere) {
  EXPECT_EQ(Run({"--engine", socket_, "-c", "x"}), 126);
  EXPECT_THAT(err_, HasSubstr("no engine answers at " + socket_));
  EXPECT_THAT(out_, IsEmpty());
}

}  // namespace
}  // namespace casemate
