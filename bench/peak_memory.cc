// Runs a command and reports the peak resident memory of that one process.
//
//   peak_memory STDOUT_FILE PROGRAM ARGUMENTS...
//
// Prints "peak_kib wait_status wall_ms" on standard output; the command's standard output goes to
// STDOUT_FILE. Why not wait4: its ru_maxrss is the maximum over the process and every descendant that it
// waited for, so a supervisor would be charged with the program that it supervises. Why not polling: the
// last peak, when the result is put together, lies just before the exit. So the process is traced with
// PTRACE_O_TRACEEXIT, which stops it at its exit while VmHWM can still be read. Its children are not traced.

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>

namespace {

[[noreturn]] void Die(const std::string& sentence) {
  std::cerr << "peak_memory: " << sentence << " (" << std::strerror(errno) << ")\n";
  std::exit(1);
}

long PeakKib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

pid_t Start(const char* stdout_path, char** argv) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) Die("cannot make a pipe");
  const pid_t pid = fork();
  if (pid < 0) Die("cannot fork");
  if (pid == 0) {
    char byte = 0;
    // Waits until the parent traces it, so that no part of the command runs untraced.
    if (read(ready[0], &byte, 1) != 1) _exit(126);
    const int out = open(stdout_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (out < 0 || null < 0 || dup2(out, 1) < 0 || dup2(null, 0) < 0) _exit(126);
    // NOLINTNEXTLINE(clang-analyzer-optin.taint.GenericTaint): to run what it is told is its task
    execv(argv[0], argv);
    _exit(127);
  }
  if (ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACEEXIT) != 0) Die("cannot trace the command");
  if (write(ready[1], "g", 1) != 1) Die("cannot start the command");
  close(ready[0]);
  close(ready[1]);
  return pid;
}

// Lets every stop pass unchanged, reads the peak at the exit stop and returns the wait status.
int Follow(pid_t pid, long* peak_kib) {
  while (true) {
    int status = 0;
    if (waitpid(pid, &status, __WALL) < 0) {
      if (errno == EINTR) continue;
      Die("cannot wait for the command");
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) return status;
    const int event = status >> 16;
    long signal = 0;
    if (event == PTRACE_EVENT_EXIT) {
      *peak_kib = PeakKib(pid);
    } else if (event == 0) {
      signal = WSTOPSIG(status);
    }
    if (ptrace(PTRACE_CONT, pid, nullptr, signal) != 0 && errno != ESRCH) Die("cannot continue it");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: peak_memory STDOUT_FILE PROGRAM ARGUMENTS...\n";
    return 1;
  }
  const auto start = std::chrono::steady_clock::now();
  long peak_kib = 0;
  const pid_t pid = Start(argv[1], argv + 2);
  const int status = Follow(pid, &peak_kib);
  const auto wall = std::chrono::steady_clock::now() - start;
  std::cout << peak_kib << ' ' << status << ' '
            << std::chrono::duration_cast<std::chrono::milliseconds>(wall).count() << '\n';
  return 0;
}
