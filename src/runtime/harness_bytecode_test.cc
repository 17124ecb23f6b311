#include "runtime/harness_bytecode.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/command.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "model/json.h"
#include "runtime/frame.h"
#include "runtime/python_program.h"
#include "runtime/result_decoder.h"

namespace casemate {
namespace {

namespace fs = std::filesystem;

class HarnessBytecodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "casemate-harness-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    const auto where = RunCommand({"python3", "-I", "-S", "-c", "import sys; print(sys.executable, end='')"});
    ASSERT_TRUE(where) << where.error().ToString();
    environment_.name = "host";
    environment_.python = where->out;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<RootFile> Files() {
    auto files = HarnessFiles(environment_, folder_);
    EXPECT_TRUE(files);
    return files.value_or(std::vector<RootFile>{});
  }
  std::vector<fs::path> Kept() {
    std::vector<fs::path> kept;
    for (const auto& entry : fs::directory_iterator(fs::path(folder_) / "cache"))
      kept.push_back(entry.path());
    return kept;
  }

  std::string folder_;
  EnvironmentView environment_;
};

TEST_F(HarnessBytecodeTest, IsCompiledOnceAndKept) {
  const std::vector<RootFile> files = Files();
  ASSERT_EQ(files.size(), 6U);
  EXPECT_EQ(files[0].path, "/casemate/harness.pyc");
  EXPECT_EQ(files[1].path, "/casemate/errors.pyc");
  EXPECT_EQ(files[2].path, "/casemate/result_json.pyc");
  EXPECT_EQ(files[3].path, "/casemate/displays.pyc");
  EXPECT_EQ(files[4].path, "/casemate/zygote.pyc");
  EXPECT_EQ(files[5].path, "/casemate/session.pyc");
  EXPECT_EQ(files[0].bytes.substr(2, 6), std::string("\r\n\1\0\0\0", 6));  // magic's end, unchecked hash
  ASSERT_EQ(Kept().size(), 1U);
  struct stat before {};
  ASSERT_EQ(stat(Kept()[0].c_str(), &before), 0);
  EXPECT_EQ(before.st_mode & 0777, 0600U);
  EXPECT_EQ(Files()[0].bytes, files[0].bytes);
  struct stat after {};
  ASSERT_EQ(stat(Kept()[0].c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);  // read, not made again
}

TEST_F(HarnessBytecodeTest, ReplacesADamagedFile) {
  const std::vector<RootFile> files = Files();
  const std::string path = Kept().at(0);
  const std::string good = *ReadFile(path, 1 << 20);
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 1);
  for (const std::string& bad :
       {std::string(), good.substr(0, 64), good.substr(0, good.size() - 1), flipped}) {
    ASSERT_TRUE(WriteFileAtomically(path, bad, 0600));
    EXPECT_EQ(Files()[0].bytes, files[0].bytes);
    EXPECT_EQ(*ReadFile(path, 1 << 20), good);
  }
}

TEST_F(HarnessBytecodeTest, GivesSourcesWhereNothingCanBeKept) {
  const auto files = HarnessFiles(environment_, "/proc/nowhere");
  ASSERT_TRUE(files);
  EXPECT_EQ((*files)[0].path, "/casemate/harness.py");
  EXPECT_EQ((*files)[0].bytes, *ReadFile("runtime/python/harness.py", 1 << 20));
}

TEST_F(HarnessBytecodeTest, GivesSourcesForAnInterpreterThatDoesNotCompile) {
  environment_.python = "/bin/false";
  EXPECT_EQ(Files()[0].path, "/casemate/harness.py");
  EXPECT_TRUE(Kept().empty());
  environment_.python = "/bin/echo";  // succeeds, and prints no bytecode
  EXPECT_EQ(Files()[0].path, "/casemate/harness.py");
  EXPECT_TRUE(Kept().empty());
}

TEST_F(HarnessBytecodeTest, NeedsAPython) {
  environment_.python = "";
  const auto files = HarnessFiles(environment_, folder_);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, ErrorCode::kUnavailable);
}

// The whole runtime together: the engine's request, the real harness, the decoder.
HarnessReport RunHarness(const std::vector<std::string>& argv, const std::string& request_bytes) {
  std::array<int, 2> request{};
  std::array<int, 2> result{};
  EXPECT_EQ(pipe2(request.data(), O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(result.data(), O_CLOEXEC), 0);
  const UniqueFd request_read(request[0]);
  UniqueFd request_write(request[1]);
  const UniqueFd result_read(result[0]);
  UniqueFd result_write(result[1]);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;  // the channels' numbers may lie above the usual soft limit
    setrlimit(RLIMIT_NOFILE, &files);
    dup2(request_read.get(), kRequestFd);
    dup2(result_write.get(), kResultFd);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  result_write.reset();
  EXPECT_TRUE(WriteAll(request_write.get(), request_bytes, "request"));
  request_write.reset();
  ResultDecoder decoder(Limits{});
  const auto bytes = ReadAll(result_read.get(), 1 << 20, "result");
  EXPECT_TRUE(bytes);
  decoder.Feed(*bytes);
  EXPECT_TRUE(decoder.Finish());
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  return decoder.TakeReport();
}

TEST_F(HarnessBytecodeTest, RunsAProgram) {
  ExecutionRequest request;
  request.code = "display(INPUT_DATA)\nresult = {'é': INPUT_DATA['n'] + 1}";
  request.args = {"\U0001F600\"'\\\n"};
  request.code = *request.code + "\nimport sys\nresult['argv'] = sys.argv";
  const auto input = ParseJson(R"({"n":99999999999999999999})");
  ASSERT_TRUE(input);
  auto program = MakePythonProgram(request, environment_, Limits{}, &*input, Files());
  ASSERT_TRUE(program);
  for (const RootFile& file : program->root_files) {
    const std::string name = fs::path(file.path).filename();
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, file.bytes, 0600));
  }
  program->argv[3] = folder_ + "/harness.pyc";
  const HarnessReport report = RunHarness(program->argv, program->request_bytes);
  EXPECT_FALSE(report.protocol_error) << *report.protocol_error;
  ASSERT_TRUE(report.result);
  EXPECT_EQ(report.result->text(),
            "{\"é\":100000000000000000000,\"argv\":[\"main.py\",\"\U0001F600\\\"'\\\\\\n\"]}");
  ASSERT_EQ(report.displays.size(), 1U);
  EXPECT_TRUE(report.ended);
  EXPECT_EQ(report.timings.size(), 4U);
}

}  // namespace
}  // namespace casemate
