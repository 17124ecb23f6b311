#include "secrets/remote/remote_provider.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <span>
#include <vector>

#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/helper_program.h"
#include "secrets/remote/wire.h"

namespace casemate {
namespace embedded {
std::string_view SecretsHelper(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace secrets {
namespace {

constexpr std::int64_t kFarewellMs = 5'000;
// The helper's own time-outs fire first, and say more.
constexpr std::int64_t kGraceMs = 1'000;

// Variables of the environment that the providers, their HTTP library and TLS read; and, in the last lines,
// what a credential_process of an AWS profile needs to find itself and its user's session.
constexpr std::array<std::string_view, 24> kVariables = {
    "AWS_",          "VAULT_",      "BAO_",       "HOME=",      "http_proxy=", "https_proxy=",
    "HTTPS_PROXY=",  "all_proxy=",  "ALL_PROXY=", "no_proxy=",  "NO_PROXY=",   "SSL_CERT_FILE=",
    "SSL_CERT_DIR=", "KUBERNETES_", "PATH=",      "USER=",      "LOGNAME=",    "LANG=",
    "LC_",           "TMPDIR=",     "XDG_",       "GNUPGHOME=", "DISPLAY=",    "DBUS_SESSION_BUS_ADDRESS="};

std::unexpected<Error> Broken(std::string cause = {}) {
  return Fail(ErrorCode::kInternal, "the helper that asks remote secret stores has died; try again",
              std::move(cause));
}

// All of `size` bytes, until `deadline`.
Expected<void> ReadFully(int fd, char* to, std::size_t size, const Deadline& deadline) {
  while (size > 0) {
    pollfd ready{fd, POLLIN, 0};
    const int count = poll(&ready, 1, static_cast<int>(deadline.RemainingMs()));
    if (count < 0 && errno == EINTR) continue;
    if (count == 0)
      return Fail(ErrorCode::kUnavailable, "a remote secret store does not answer in time; try again");
    const ssize_t got = read(fd, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Broken();
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return {};
}

Expected<Fetched> ReadAnswer(int fd, const Deadline& deadline) {
  Answer answer;
  std::array<char, sizeof answer> bytes{};
  if (auto read = ReadFully(fd, bytes.data(), bytes.size(), deadline); !read)
    return std::unexpected(read.error());
  std::memcpy(&answer, bytes.data(), sizeof answer);
  Fetched fetched;
  if (answer.kind == AnswerKind::kValue) {
    if (answer.text_bytes > kSecretBytesMax) return Broken("too large a value");
    auto value = SecretValue::WithRoom(answer.text_bytes);
    if (!value) return std::unexpected(value.error());
    if (auto read = ReadFully(fd, value->data(), answer.text_bytes, deadline); !read)
      return std::unexpected(read.error());
    value->Resize(answer.text_bytes);
    fetched.value = *std::move(value);
    fetched.ttl_ms = answer.ttl_ms;
    return fetched;
  }
  if (answer.text_bytes > kTextBytesMax || answer.cause_bytes > kTextBytesMax)
    return Broken("too long a text");
  std::string text(answer.text_bytes, '\0');
  std::string cause(answer.cause_bytes, '\0');
  for (std::string* part : {&text, &cause}) {
    if (auto read = ReadFully(fd, part->data(), part->size(), deadline); !read)
      return std::unexpected(read.error());
  }
  if (answer.kind == AnswerKind::kError) {
    return Fail(static_cast<ErrorCode>(answer.error_code), std::move(text), std::move(cause));
  }
  fetched.missing = std::move(text);
  return fetched;
}

}  // namespace

class Helper::Process {
 public:
  ~Process() { End(); }
  Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // 0 or an errno.
  int Send(std::span<const std::byte> question, int answer_to) {
    const std::lock_guard lock(mutex_);
    if (!socket_.valid()) return EPIPE;
    return -SendDescriptors(socket_.get(), question, {&answer_to, 1});
  }

  Expected<void> StartAfter(bool failed) {
    const std::lock_guard lock(mutex_);
    if (socket_.valid() && !failed) return {};
    End();
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                       "socketpair");
    }
    UniqueFd ours(ends[0]);
    const UniqueFd theirs(ends[1]);
    auto binary = SealedFile("casemate-secrets", embedded::SecretsHelper("secrets_helper"));
    if (!binary) return std::unexpected(binary.error());
    const HelperStart start{binary->get(), {"casemate-secrets"}, theirs.get(), kHelperSocketFd, kVariables};
    if (const int err = SpawnHelper(start, pid_); err != 0) {
      return FailErrno(ErrorCode::kUnavailable,
                       "the helper that asks remote secret stores cannot be started; is libcurl4 installed?",
                       "posix_spawn", err);
    }
    socket_ = std::move(ours);
    return {};
  }

 private:
  void End() {
    socket_.reset();
    if (pid_ <= 0) return;
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    pollfd gone{pidfd.get(), POLLIN, 0};
    if (poll(&gone, 1, kFarewellMs) <= 0) kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }

  std::mutex mutex_;
  UniqueFd socket_;
  pid_t pid_ = -1;
};

Helper::Helper() : process_(std::make_unique<Process>()) {}
Helper::~Helper() = default;

Expected<Fetched> Helper::Ask(std::string_view scheme, std::string_view place, const Deadline& deadline) {
  const Question question{deadline.RemainingMs(), static_cast<std::uint32_t>(scheme.size()),
                          static_cast<std::uint32_t>(place.size())};
  std::string packet(reinterpret_cast<const char*>(&question), sizeof question);
  packet += scheme;
  packet += place;
  if (packet.size() > kQuestionBytesMax) {
    return Fail(ErrorCode::kInvalidRequest, "the reference is longer than any place is; check it");
  }
  bool failed = false;
  for (int tried = 0; tried < 2; ++tried) {
    if (auto started = process_->StartAfter(failed); !started) return std::unexpected(started.error());
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                       "socketpair");
    }
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    const int err = process_->Send(std::as_bytes(std::span(packet)), theirs.get());
    theirs.reset();
    if (err == 0) {
      return ReadAnswer(ours.get(), Deadline::AtUs(deadline.at_us() + kGraceMs * 1000));
    }
    failed = true;
  }
  return Broken("sendmsg");
}

namespace {

class RemoteProvider : public Provider {
 public:
  RemoteProvider(const RemoteScheme& scheme, std::shared_ptr<Helper> helper)
      : scheme_(scheme), helper_(std::move(helper)) {}
  std::string_view scheme() const override { return scheme_.scheme; }
  std::string_view form() const override { return scheme_.form; }
  bool waits() const override { return true; }
  Expected<void> Check(std::string_view place) const override { return scheme_.check(place); }
  Expected<Fetched> Fetch(std::string_view place, const Deadline& deadline) override {
    return helper_->Ask(scheme_.scheme, place, deadline);
  }

 private:
  const RemoteScheme scheme_;
  const std::shared_ptr<Helper> helper_;
};

}  // namespace

std::unique_ptr<Provider> MakeRemoteProvider(const RemoteScheme& scheme, std::shared_ptr<Helper> helper) {
  return std::make_unique<RemoteProvider>(scheme, std::move(helper));
}

}  // namespace secrets
}  // namespace casemate
