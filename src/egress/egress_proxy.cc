#include "egress/egress_proxy.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/helper_program.h"
#include "egress/rules/allowlist.h"

namespace casemate {
namespace embedded {
std::string_view EgressHelper(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace egress {
namespace {

constexpr std::int64_t kFinishMs = 1'000;
constexpr std::int64_t kStartMs = 5'000;

// The helper's program (src/egress/helper/), which is linked into this one as bytes; kept, since its pages
// are what a start would have to copy.
Expected<int> HelperBinary() {
  static std::mutex mutex;
  static UniqueFd binary;
  const std::lock_guard lock(mutex);
  if (binary.valid()) return binary.get();
  auto made = SealedFile("casemate-egress", embedded::EgressHelper("egress_helper"));
  if (!made) return std::unexpected(made.error());
  // Far from the numbers that the process starts with.
  binary.reset(fcntl(made->get(), F_DUPFD_CLOEXEC, kEgressControlFd + 10));
  if (!binary.valid())
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "fcntl");
  return binary.get();
}

// Where the host keeps the authorities that it trusts, if not where OpenSSL looks.
constexpr std::array<std::string_view, 2> kVariables = {"SSL_CERT_FILE=", "SSL_CERT_DIR="};

Expected<void> SendPacket(int control, std::string_view packet, std::span<const int> fds) {
  const int failed = SendDescriptors(control, std::as_bytes(std::span(packet)), fds);
  if (failed == 0) return {};
  return FailErrno(ErrorCode::kUnavailable,
                   "the egress proxy did not start; what it said is on the engine's stderr", "sendmsg",
                   -failed);
}

Expected<void> SendPacket(int control, Packet kind, std::span<const int> fds) {
  const char byte = static_cast<char>(kind);
  return SendPacket(control, std::string_view(&byte, 1), fds);
}

Expected<void> SendSecret(int control, const BrokeredGrant& grant) {
  using std::string_view_literals::operator""sv;
  std::string places;
  for (const std::string& place : grant.places) places += (places.empty() ? "" : ",") + place;
  const std::array texts = {grant.placeholder, grant.name, places};
  std::size_t size = 1 + grant.value->size();
  for (const std::string& text : texts) size += text.size() + 1;
  auto packet = SecretValue::WithRoom(size);
  if (!packet) return std::unexpected(packet.error());
  const char kind = static_cast<char>(Packet::kSecret);
  bool fits = packet->Append({&kind, 1});
  for (const std::string& text : texts) fits = fits && packet->Append(text) && packet->Append("\0"sv);
  if (!fits || !packet->Append(grant.value->Reveal()))
    return Fail(ErrorCode::kInternal, "a secret does not fit into its own room");
  return SendPacket(control, packet->Reveal(), {});
}

}  // namespace

Expected<std::unique_ptr<EgressProxy>> EgressProxy::Start(const NetworkPolicy& network,
                                                          const std::vector<BrokeredGrant>& secrets) {
  if (auto allow = Allowlist::Make(network); !allow) return std::unexpected(allow.error());
  const auto binary = HelperBinary();
  if (!binary) return std::unexpected(binary.error());
  auto policy = SealedFile("casemate-egress-policy", EncodeNetwork(network));
  if (!policy) return std::unexpected(policy.error());
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  }
  std::unique_ptr<EgressProxy> proxy(new EgressProxy());
  proxy->control_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  const HelperStart start{*binary, {"casemate-egress"}, theirs.get(), kEgressControlFd, kVariables};
  if (const int err = SpawnHelper(start, proxy->pid_); err != 0) {
    return FailErrno(ErrorCode::kUnavailable, "the egress proxy cannot be started", "posix_spawn", err);
  }
  const int file = policy->get();
  const std::string first = {static_cast<char>(Packet::kPolicy), static_cast<char>(secrets.size())};
  auto sent = SendPacket(proxy->control_.get(), first, {&file, 1});
  for (const BrokeredGrant& grant : secrets) {
    if (sent) sent = SendSecret(proxy->control_.get(), grant);
  }
  if (!sent) return std::unexpected(sent.error());
  return proxy;
}

EgressProxy::~EgressProxy() {
  control_.reset();
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Expected<std::string> EgressProxy::Certificate() {
  std::array<char, kPacketBytesMax> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): received into
  pollfd entry{control_.get(), POLLIN, 0};
  const Deadline deadline = Deadline::After(kStartMs);
  while (poll(&entry, 1, static_cast<int>(deadline.RemainingMs())) < 0 && errno == EINTR) {
  }
  const ssize_t got = recv(control_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got > 0 && bytes[0] == static_cast<char>(Packet::kReady))
    return std::string(bytes.data() + 1, static_cast<std::size_t>(got) - 1);
  return Fail(ErrorCode::kUnavailable,
              "the egress proxy did not start; what it said is on the engine's stderr");
}

Expected<void> EgressProxy::Serve(int listener) {
  return SendPacket(control_.get(), Packet::kListen, {&listener, 1});
}

bool EgressProxy::TakeOne(std::vector<ToldAttempt>& all) {
  if (!control_.valid()) return false;
  std::array<std::byte, kPacketBytesMax>
      bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): received into
  const ssize_t got = recv(control_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) {
    control_.reset();
    return false;
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(got));
  if (text.front() == static_cast<char>(Packet::kFinished)) finished_ = true;
  if (text.front() != static_cast<char>(Packet::kAttempt)) return true;
  if (auto told = DecodeAttempt(text.substr(1))) all.push_back(*std::move(told));
  return true;
}

std::vector<ToldAttempt> EgressProxy::Take() {
  constexpr int kBatchMax = 64;
  std::vector<ToldAttempt> all;
  for (int taken = 0; taken < kBatchMax && TakeOne(all); ++taken) {
  }
  return all;
}

std::vector<ToldAttempt> EgressProxy::Finish(bool& died) {
  std::vector<ToldAttempt> all;
  died = !control_.valid() || !SendPacket(control_.get(), Packet::kFinish, {});
  const Deadline deadline = Deadline::After(kFinishMs);
  while (control_.valid() && !finished_) {
    pollfd entry{control_.get(), POLLIN, 0};
    if (poll(&entry, 1, static_cast<int>(deadline.RemainingMs())) <= 0) break;
    while (TakeOne(all)) {
    }
  }
  return all;
}

}  // namespace egress
}  // namespace casemate
