#include "environments/builder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <climits>
#include <vector>

#include "base/errno.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate {
namespace {

constexpr std::size_t kAnswerMax = 1 << 20;

std::string ProgramPath() {
  std::array<char, PATH_MAX> own{};
  const ssize_t size = ::readlink("/proc/self/exe", own.data(), own.size());
  std::string path(own.data(), static_cast<std::size_t>(size > 0 ? size : 0));
  return path.substr(0, path.rfind('/') + 1) + "casemate-env";
}

// In this process's group: who interrupts this program at a terminal interrupts the build as well.
Expected<pid_t> Spawn(std::vector<std::string> words, int out) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t usual;
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGINT);
  sigaddset(&usual, SIGTERM);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == 0) return pid;
  return FailErrno(ErrorCode::kUnavailable,
                   fmt::format("{} cannot be started: install it beside casemate", words.front()),
                   "posix_spawn", failed);
}

}  // namespace

std::string EncodeBuilderAnswer(const Expected<std::string>& id) {
  JsonWriter writer;
  writer.BeginObject();
  if (id) {
    writer.Field("id", *id);
  } else {
    writer.Field("code", static_cast<int>(id.error().code));
    writer.Field("message", id.error().message);
    writer.Field("cause", id.error().cause);
  }
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

Expected<std::string> DecodeBuilderAnswer(const std::string& line) {
  const auto value = ParseBoundedValue(line, {});
  if (value && value->is_object()) {
    const auto& object = value->get_object();
    if (const auto* const id = FindString(object, "id")) return std::string(*id);
    const auto code = FindInt(object, "code");
    const auto* const message = FindString(object, "message");
    const auto* const cause = FindString(object, "cause");
    if (code && *code >= 0 && *code <= static_cast<int>(ErrorCode::kInternal) && message != nullptr &&
        cause != nullptr) {
      return Fail(static_cast<ErrorCode>(*code), std::string(*message), std::string(*cause));
    }
  }
  return Fail(ErrorCode::kUnavailable, "the build of the environment was interrupted: run it again");
}

Expected<std::string> AskForEnvironment(const std::string& name, const BuilderOptions& options) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors", "pipe2");
  }
  const UniqueFd answer(ends[0]);
  UniqueFd theirs(ends[1]);
  std::vector<std::string> words = {ProgramPath(), "build", "--machine", "--state-dir", options.state_dir};
  if (!options.python.empty()) words.insert(words.end(), {"--python", options.python});
  if (!options.progress) words.emplace_back("--quiet");
  words.push_back(name);
  auto pid = Spawn(std::move(words), theirs.get());
  if (!pid) return std::unexpected(pid.error());
  theirs.reset();
  auto line = ReadAll(answer.get(), kAnswerMax, "casemate-env");
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!line) return std::unexpected(line.error());
  return DecodeBuilderAnswer(*line);
}

}  // namespace casemate
