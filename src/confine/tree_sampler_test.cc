#include "confine/tree_sampler.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstring>
#include <ctime>

namespace casemate {
namespace {

constexpr std::size_t kMapped = 32 << 20;

std::int64_t OwnCpuUs() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<std::int64_t>(used.tv_sec) * 1'000'000 + used.tv_nsec / 1000;
}

// Uses 60 ms of CPU time and 32 MiB of memory, says so, and waits to be killed.
[[noreturn]] void BeBusy(int tell) {
  void* memory = mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  // Reserved, and never touched: no use of memory.
  void* reserved = mmap(nullptr, 4 * kMapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || reserved == MAP_FAILED) _exit(1);
  std::memset(memory, 1, kMapped);
  while (OwnCpuUs() < 60'000) {
  }
  (void)!write(tell, "!", 1);
  for (;;) pause();
}

class TreeSamplerTest : public testing::Test {
 protected:
  // A child, busy itself, with a busy child of its own.
  TreeSamplerTest() {
    EXPECT_EQ(pipe2(pipe_.data(), O_CLOEXEC), 0);
    child_ = fork();
    if (child_ == 0) {
      setpgid(0, 0);
      (void)fork();
      BeBusy(pipe_[1]);
    }
    setpgid(child_, child_);
    char both = 0;
    for (int i = 0; i < 2; ++i) EXPECT_EQ(read(pipe_[0], &both, 1), 1);
  }
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "the sanitizer adds a thread to each process";
#endif
  }
  ~TreeSamplerTest() override {
    kill(-child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    for (const int fd : pipe_) close(fd);
  }
  std::array<int, 2> pipe_{};
  pid_t child_ = -1;
};

TEST_F(TreeSamplerTest, AddsUpAProcessAndItsDescendants) {
  const TreeSample sample = SampleTree(child_, 100);
  EXPECT_EQ(sample.tasks, 2);
  // The kernel counts in ticks of 10 ms, and at a tick only.
  EXPECT_GE(sample.cpu_time_us, 60'000);
  EXPECT_GE(sample.memory_bytes, static_cast<std::int64_t>(2 * kMapped));
  // Both processes also have what this one had when it forked them.
  const std::int64_t inherited = 2 * SampleTree(getpid(), 1).memory_bytes;
  EXPECT_LT(sample.memory_bytes, static_cast<std::int64_t>(4 * kMapped) + inherited);
}

TEST_F(TreeSamplerTest, ListsTheProcesses) {
  const std::vector<pid_t> processes = ProcessesOfTree(child_, 100);
  ASSERT_EQ(processes.size(), 2U);
  EXPECT_EQ(processes.front(), child_);
}

TEST_F(TreeSamplerTest, StopsAtTheLargestCount) { EXPECT_EQ(SampleTree(child_, 1).tasks, 1); }

TEST(TreeSamplerOfTheDeadTest, FindsNothing) {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, nullptr, 0);
  const TreeSample sample = SampleTree(pid, 100);
  EXPECT_EQ(sample.tasks, 0);
  EXPECT_EQ(sample.cpu_time_us, 0);
  EXPECT_EQ(sample.memory_bytes, 0);
}

}  // namespace
}  // namespace casemate
