#include "surfaces/cli/resident.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/file.h"
#include "surfaces/cli/secret_flag.h"
#include "surfaces/http/client.h"
#include "surfaces/http/socket.h"

namespace casemate {
namespace {

constexpr off_t kStdinBytesMax = kMiB;

bool IsSet(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return value != nullptr && *value != '\0';
}

bool ChoosesOwnEngine(const RunOptions& options) {
  return !options.engine.python.empty() || !options.engine.state_dir.empty() || IsSet("CASEMATE_PYTHON") ||
         IsSet("VIRTUAL_ENV");
}

std::string SocketPath() {
  const char* path = std::getenv("CASEMATE_SOCKET");  // NOLINT(concurrency-mt-unsafe): as above
  return path != nullptr ? path : http::DefaultSocketPath();
}

// What is left of a small file, read without a change to its offset before all is there.
bool TakeFile(int fd, const struct stat& info, std::string& bytes) {
  const off_t offset = ::lseek(fd, 0, SEEK_CUR);
  if (offset < 0 || info.st_size - offset > kStdinBytesMax) return false;
  bytes.resize(static_cast<std::size_t>(std::max<off_t>(info.st_size - offset, 0)) + 1);
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count =
        ::pread(fd, bytes.data() + size, bytes.size() - size, offset + static_cast<off_t>(size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  // It has more than its size says, as files of /proc do.
  if (size == bytes.size()) return false;
  bytes.resize(size);
  return ::lseek(fd, offset + static_cast<off_t>(size), SEEK_SET) >= 0;
}

// Makes a stdin that can be told at once a part of the request; false when it cannot.
bool TakeStdin(ExecutionRequest& request) {
  if (request.stdin_fd < 0) return true;
  struct stat info {};
  if (::fstat(request.stdin_fd, &info) == 0) {
    const bool is_null = S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(1, 3);
    if (!is_null && !S_ISREG(info.st_mode)) return false;
    std::string bytes;
    if (!is_null && !TakeFile(request.stdin_fd, info, bytes)) return false;
    request.stdin_bytes = std::move(bytes);
  } else if (errno != EBADF) {
    return false;
  }
  request.stdin_fd = -1;
  return true;
}

}  // namespace

Expected<std::optional<ExecutionResult>> RunResident(const RunOptions& options, ExecutionRequest& request,
                                                     EventSink* sink, int cancel_fd) {
  const bool named = !options.engine_socket.empty();
  if (options.no_engine || (!named && ChoosesOwnEngine(options))) return std::nullopt;
  if (request.terminal) {
    if (!named) return std::nullopt;
    return Fail(ErrorCode::kInvalidRequest,
                "a resident engine gives no terminals: leave out --engine, or --tty");
  }
  // The resident engine has another environment than whoever typed the command.
  if (NeedThisProcess(request.secrets)) {
    if (!named) return std::nullopt;
    return Fail(
        ErrorCode::kInvalidRequest,
        "env: and cmd: secrets are those of this command, which a resident engine does not see: leave "
        "out --engine, or keep them in a file");
  }
  if (named && (!options.engine.python.empty() || !options.engine.state_dir.empty())) {
    return Fail(
        ErrorCode::kInvalidRequest,
        "--python and --state-dir belong to an engine of your own: leave out --engine, or give them to "
        "casemate serve");
  }
  const std::string path = named ? options.engine_socket : SocketPath();
  if (!named && (path.empty() || !FileExists(path))) return std::nullopt;
  if (!TakeStdin(request)) {
    if (!named) return std::nullopt;
    return Fail(
        ErrorCode::kInvalidRequest,
        "a resident engine takes no stdin that is a pipe, a terminal or a file above 1 MiB: leave out "
        "--engine, or hand the data in with --input or --file");
  }
  auto result = http::RunAt(path, request, sink, cancel_fd);
  if (result) return *std::move(result);
  if (!named) return std::nullopt;
  Error error = std::move(result.error());
  // What is not there is the engine, and not the program.
  if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kUnavailable;
  return std::unexpected(std::move(error));
}

}  // namespace casemate
