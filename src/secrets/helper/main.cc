// Asks remote providers for casemate (remote/wire.h). Each question has a thread of its own. The end of the
// socket ends the process: leases and logins are given up first.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor_message.h"
#include "base/unique_fd.h"
#include "secrets/aws/aws_provider.h"
#include "secrets/curl/curl_client.h"
#include "secrets/remote/wire.h"
#include "secrets/vault/vault_provider.h"

namespace casemate::secrets {
namespace {

constexpr auto kLastAnswers = std::chrono::seconds(1);

// No core dump, no tracer, no new privileges; and nothing of it swapped where this user may lock so much.
// What a user may lock is counted by address space, so a small limit would be reached by the first library.
void HardenProcess() {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  rlimit locked{};
  getrlimit(RLIMIT_MEMLOCK, &locked);
  if (geteuid() == 0 || locked.rlim_cur == RLIM_INFINITY) mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
  std::signal(SIGPIPE, SIG_IGN);
}

std::string OfProcess(const char* name) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return text != nullptr ? text : "";
}

void WriteFully(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void WriteAnswer(int fd, Answer answer, std::string_view text, std::string_view cause = {}) {
  if (answer.kind != AnswerKind::kValue) text = text.substr(0, kTextBytesMax);
  cause = cause.substr(0, kTextBytesMax);
  answer.text_bytes = static_cast<std::uint32_t>(text.size());
  answer.cause_bytes = static_cast<std::uint32_t>(cause.size());
  std::array<char, sizeof answer> head{};
  std::memcpy(head.data(), &answer, sizeof answer);
  WriteFully(fd, {head.data(), head.size()});
  WriteFully(fd, text);
  WriteFully(fd, cause);
}

class Service {
 public:
  Service() {
    providers_.push_back(MakeVaultProvider(*client_, OfProcess));
    providers_.push_back(MakeAwsProvider(*client_, OfProcess));
  }

  // Until the socket's end.
  void Serve(int socket) {
    std::vector<std::byte> packet(kQuestionBytesMax);
    for (;;) {
      int answer_to = -1;
      std::size_t fds = 0;
      const ssize_t got = ReceiveDescriptors(socket, packet, {&answer_to, 1}, fds);
      if (got == -EINTR) continue;
      if (got <= 0) return;
      UniqueFd fd(fds == 1 ? answer_to : -1);
      Question question;
      const auto size = static_cast<std::size_t>(got);
      if (!fd.valid() || size < sizeof question) continue;
      std::memcpy(&question, packet.data(), sizeof question);
      if (size != sizeof question + question.scheme_bytes + question.place_bytes) continue;
      const char* const text = reinterpret_cast<const char*>(packet.data() + sizeof question);
      Begin(std::string(text, question.scheme_bytes),
            std::string(text + question.scheme_bytes, question.place_bytes), question.patience_ms,
            std::move(fd));
    }
  }

  // False when a question is still being asked; then nothing of this may be destroyed.
  bool Settle() {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, kLastAnswers, [this] { return busy_ == 0; });
  }

 private:
  void Begin(std::string scheme, std::string place, std::int64_t patience_ms, UniqueFd fd) {
    {
      const std::lock_guard lock(mutex_);
      ++busy_;
    }
    std::thread([this, scheme = std::move(scheme), place = std::move(place), patience_ms,
                 fd = std::move(fd)] {
      Respond(scheme, place, patience_ms, fd.get());
      const std::lock_guard lock(mutex_);
      --busy_;
      idle_.notify_all();
    }).detach();
  }

  void Respond(const std::string& scheme, const std::string& place, std::int64_t patience_ms, int fd) {
    const auto provider =
        std::ranges::find_if(providers_, [&](const auto& one) { return one->scheme() == scheme; });
    if (provider == providers_.end()) return;
    auto fetched = (*provider)->Fetch(place, Deadline::After(patience_ms));
    if (!fetched) {
      const Error& error = fetched.error();
      WriteAnswer(fd, {.kind = AnswerKind::kError, .error_code = static_cast<std::uint32_t>(error.code)},
                  error.message, error.cause);
    } else if (!fetched->value) {
      WriteAnswer(fd, {.kind = AnswerKind::kMissing}, fetched->missing);
    } else {
      WriteAnswer(fd, {.kind = AnswerKind::kValue, .ttl_ms = fetched->ttl_ms}, fetched->value->Reveal());
    }
  }

  const std::unique_ptr<HttpClient> client_ = MakeCurlClient();
  std::vector<std::unique_ptr<Provider>> providers_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int busy_ = 0;
};

}  // namespace
}  // namespace casemate::secrets

int main() {
  using casemate::secrets::Service;
  casemate::secrets::HardenProcess();
  auto service = std::make_unique<Service>();
  service->Serve(casemate::secrets::kHelperSocketFd);
  if (!service->Settle()) _exit(0);
  service.reset();
  return 0;
}
