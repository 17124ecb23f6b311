// Times complete runs of several commands, interleaved.
//
//   spawn_timer ROUNDS WARMUP < commands > samples
//
// Input: one command a line, fields separated by tabs: a name, any number of "@FD=PATH" (a file that the
// command gets opened for reading as that descriptor), at most one "%=PATH" (a mount namespace that it is
// started in), any number of "&=GROUP:HOME:ENTRANCE:FILE=VALUE,..." (a control group that is made for each
// run, with these limits, and removed after it; this program's own; the file in both that takes process ids),
// then the absolute program and its arguments. Making, entering and removing are not timed. Output: for each
// command one line: the name, then ROUNDS times in microseconds, tab-separated.
//
// Each round runs every command once and the next round starts with another one, so that whatever else the
// machine does falls on all alike. A time is from just before the spawn to the return of the wait, taken
// from the monotonic clock. posix_spawn uses vfork semantics, so this program's size adds nothing. Standard
// input and output are /dev/null; standard error is kept for the reason of a failure. A command that fails
// once ends the whole measurement: a time of work that was not done is worse than none.

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Cgroup {
  std::string group;
  std::string home;
  std::string entrance;
  std::vector<std::pair<std::string, std::string>> limits;
};

struct Command {
  std::string name;
  std::vector<std::pair<int, std::string>> files;
  int mount_namespace = -1;
  std::vector<Cgroup> cgroups;
  std::vector<std::string> arguments;
  std::vector<std::int64_t> samples_us;
};

[[noreturn]] void Die(const std::string& sentence) {
  std::cerr << "spawn_timer: " << sentence << "\n";
  std::exit(1);
}

// An unsigned decimal number, whole and without anything around it.
int ParseNumber(const std::string& text) {
  int number = -1;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < 0) Die("'" + text + "' is no number");
  return number;
}

int OpenNamespace(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) Die("cannot open the namespace " + path + ": " + std::strerror(errno));
  return fd;
}

Cgroup ParseCgroup(const std::string& text) {
  Cgroup cgroup;
  std::istringstream parts(text);
  std::getline(parts, cgroup.group, ':');
  std::getline(parts, cgroup.home, ':');
  std::getline(parts, cgroup.entrance, ':');
  for (std::string limit; std::getline(parts, limit, ',');) {
    const std::size_t equals = limit.find('=');
    if (equals == std::string::npos) Die("'" + limit + "' is no limit");
    cgroup.limits.emplace_back(limit.substr(0, equals), limit.substr(equals + 1));
  }
  return cgroup;
}

Command ParseCommand(const std::string& line) {
  Command command;
  std::istringstream fields(line);
  std::getline(fields, command.name, '\t');
  std::string field;
  while (std::getline(fields, field, '\t')) {
    const std::size_t equals = field.find('=');
    if (command.arguments.empty() && field.starts_with('@') && equals != std::string::npos) {
      command.files.emplace_back(ParseNumber(field.substr(1, equals - 1)), field.substr(equals + 1));
    } else if (command.arguments.empty() && field.starts_with("%=")) {
      command.mount_namespace = OpenNamespace(field.substr(2));
    } else if (command.arguments.empty() && field.starts_with("&=")) {
      command.cgroups.push_back(ParseCgroup(field.substr(2)));
    } else {
      command.arguments.push_back(field);
    }
  }
  if (command.arguments.empty()) Die("the line of '" + command.name + "' names no program");
  return command;
}

void EnterMountNamespace(int fd) {
  if (setns(fd, CLONE_NEWNS) != 0)
    Die(std::string("cannot enter a mount namespace: ") + std::strerror(errno));
}

void WriteControl(const std::string& path, const std::string& value) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, value.data(), value.size()) < 0)
    Die("cannot write " + value + " to " + path + ": " + std::strerror(errno));
  close(fd);
}

void MakeAndEnter(const Cgroup& cgroup) {
  if (mkdir(cgroup.group.c_str(), 0755) != 0)
    Die("cannot make " + cgroup.group + ": " + std::strerror(errno));
  for (const auto& [file, value] : cgroup.limits) WriteControl(cgroup.group + "/" + file, value);
  WriteControl(cgroup.group + "/" + cgroup.entrance, "0");
}

void LeaveAndRemove(const Cgroup& cgroup) {
  WriteControl(cgroup.home + "/" + cgroup.entrance, "0");
  // Whoever was in it has ended; the kernel lets go of it a moment later.
  for (int turn = 0; rmdir(cgroup.group.c_str()) != 0; ++turn) {
    if (turn == 1000) Die("cannot remove " + cgroup.group + ": " + std::strerror(errno));
    usleep(1000);
  }
}

std::int64_t RunOnce(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& argument : command.arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  for (const auto& [fd, path] : command.files) {
    posix_spawn_file_actions_addopen(&actions, fd, path.c_str(), O_RDONLY, 0);
  }
  pid_t pid = -1;
  int status = 0;
  const auto start = std::chrono::steady_clock::now();
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  if (error != 0) Die("cannot start " + command.arguments[0] + ": " + std::strerror(error));
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const auto end = std::chrono::steady_clock::now();
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) {
    Die("'" + command.name + "' failed with wait status " + std::to_string(status) +
        "; its message, if any, is above");
  }
  return std::chrono::duration_cast<std::chrono::microseconds>(end - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) Die("usage: spawn_timer ROUNDS WARMUP < commands");
  const int rounds = ParseNumber(argv[1]);
  const int warmup = ParseNumber(argv[2]);
  std::vector<Command> commands;
  for (std::string line; std::getline(std::cin, line);) commands.push_back(ParseCommand(line));
  if (rounds == 0 || commands.empty()) Die("nothing to measure");

  const int own_namespace = OpenNamespace("/proc/self/ns/mnt");
  for (int round = -warmup; round < rounds; ++round) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      Command& command = commands[(i + static_cast<std::size_t>(round + warmup)) % commands.size()];
      if (command.mount_namespace >= 0) EnterMountNamespace(command.mount_namespace);
      for (const Cgroup& cgroup : command.cgroups) MakeAndEnter(cgroup);
      const std::int64_t time_us = RunOnce(command);
      for (const Cgroup& cgroup : command.cgroups) LeaveAndRemove(cgroup);
      if (command.mount_namespace >= 0) EnterMountNamespace(own_namespace);
      if (round >= 0) command.samples_us.push_back(time_us);
    }
  }
  for (const Command& command : commands) {
    std::cout << command.name;
    for (const std::int64_t sample : command.samples_us) std::cout << '\t' << sample;
    std::cout << '\n';
  }
  return 0;
}
