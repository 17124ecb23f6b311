#include "confine/seccomp_notify.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "confine/seccomp_filter.h"

// What may be answered with SECCOMP_USER_NOTIF_FLAG_CONTINUE: socket, whose arguments are all in registers
// and cannot change after the look, and connect. For connect the kernel reads the address again after such an
// answer, and another thread may have changed it in between; so an answer must never be the wall. Here it is
// not, where the tables say so (connect_number): the wall is the empty network namespace, where every connect
// to a network address fails and where the Unix sockets are the sandbox's own. Whichever address the kernel
// finds, it may be tried. A loopback that is up (LetLoopbackThrough) is as private: behind it are the sandbox
// itself and the one socket that was made for it. The same holds for an address that cannot be read: the
// kernel answers EFAULT itself.

namespace casemate {
namespace {

std::vector<std::uint64_t> Buffer(std::size_t ours, std::size_t kernels) {
  const std::size_t bytes = std::max(ours, kernels);
  return std::vector<std::uint64_t>((bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
}

const SeccompFamily& FamilyOf(int nr, const SeccompTables& tables) {
  const auto index = static_cast<std::size_t>(nr);
  const bool known = nr >= 0 && index < tables.family_of.size();
  return tables.families[known ? tables.family_of[index] : 0];
}

std::string DescribeArgument(const SeccompFamily& family, std::uint32_t value) {
  std::string names;
  for (const SeccompArgumentName& known : family.names) {
    const bool matches = family.flags ? (value & known.value) == known.value : value == known.value;
    if (matches) names += (names.empty() ? "" : "|") + std::string(known.name);
  }
  return names.empty() ? fmt::format("{:#x}", value) : names;
}

// TCP and UDP, over IPv4 and IPv6. No other protocol: SCTP and its like load modules of the kernel.
bool MakesNetworkSocket(const seccomp_data& data) {
  const auto family = static_cast<int>(data.args[0]);
  const int type = static_cast<int>(data.args[1]) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  const auto protocol = static_cast<int>(data.args[2]);
  if (family != AF_INET && family != AF_INET6) return false;
  return (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP)) ||
         (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP));
}

// The memory of the calling thread at `address`, as much of it as there is.
std::span<const std::byte> ReadMemory(std::uint32_t tid, std::uint64_t address, std::span<std::byte> into) {
  iovec local = {into.data(), into.size()};
  iovec remote = {reinterpret_cast<void*>(address), into.size()};  // an address of the other process
  const ssize_t got = process_vm_readv(static_cast<pid_t>(tid), &local, 1, &remote, 1, 0);
  return into.first(got > 0 ? static_cast<std::size_t>(got) : 0);
}

}  // namespace

std::string DescribeSyscall(const seccomp_data& data, const SeccompTables& tables) {
  const std::string_view name = SyscallName(data.nr);
  if (name.empty()) return fmt::format("system call {}", data.nr);
  const SeccompFamily& family = FamilyOf(data.nr, tables);
  if (family.argument < 0) return std::string(name);
  const auto value = static_cast<std::uint32_t>(data.args[family.argument]);
  return fmt::format("{} {}", name, DescribeArgument(family, value));
}

Denial DescribeConnect(const PeerAddress& peer, bool proxied) {
  Denial denial{"network", "connect " + peer.text, 1, {}};
  if (proxied) {
    denial.remedy =
        "The only way out is the proxy that HTTPS_PROXY names (HTTP, CONNECT and SOCKS5), which looks names "
        "up by "
        "itself; use a client that heeds it.";
  } else if (peer.port == 53) {
    denial.remedy =
        "The network is closed, so host names cannot be looked up; pass the data in (--input, -v).";
  } else if (peer.loopback) {
    denial.remedy = "The sandbox has no loopback interface; use a Unix socket, a pipe or socketpair instead.";
  } else {
    denial.remedy = "The network is closed; fetch the data outside and pass it in (--input, -v).";
  }
  return denial;
}

SeccompListener::SeccompListener(UniqueFd listener, const SeccompTables& tables)
    : listener_(std::move(listener)), tables_(&tables) {
  seccomp_notif_sizes sizes = {};
  // Where it fails there is no user notification, and so no listener either.
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) listener_.reset();
  call_buffer_ = Buffer(sizeof(seccomp_notif), sizes.seccomp_notif);
  response_buffer_ = Buffer(sizeof(seccomp_notif_resp), sizes.seccomp_notif_resp);
}

std::vector<Denial> SeccompListener::Take() {
  std::vector<Denial> denials;
  for (int answered = 0; answered < kBatchMax && listener_.valid(); ++answered) {
    if (!TakeOne(denials)) break;
    if (refusals_ < kRefusalsMax && continued_ < kContinuedMax) continue;
    listener_.reset();
    met_network_ = true;  // as far as anybody can tell from here on
    denials.push_back(
        {"limit", "refused_calls", 1,
         fmt::format("After {} refused calls no more are reported or told apart; they fail with "
                     "ENOSYS. Fix the first ones listed.",
                     refusals_)});
  }
  return denials;
}

// False when nothing waits. The receiving ioctl ignores O_NONBLOCK, but it sleeps only while the kernel's
// count of calls is zero; each call raises the count once and a caller's death does not lower it. So after
// POLLIN it returns at once, with ENOENT when the caller has died since.
bool SeccompListener::TakeOne(std::vector<Denial>& denials) {
  pollfd state = {listener_.get(), POLLIN, 0};
  if (poll(&state, 1, 0) <= 0) return false;
  if ((state.revents & POLLIN) == 0) {
    listener_.reset();
    return false;
  }
  std::ranges::fill(call_buffer_, 0);  // the kernel refuses a buffer that is not zero
  if (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, call_buffer_.data()) != 0) {
    if (errno == ENOENT || errno == EINTR) return true;
    listener_.reset();
    return false;
  }
  seccomp_notif call;
  std::memcpy(&call, call_buffer_.data(), sizeof(call));
  Answer(call, denials);
  return true;
}

void SeccompListener::Answer(const seccomp_notif& call, std::vector<Denial>& denials) {
  const int nr = call.data.nr;
  if (nr >= 0 && nr == tables_->connect_number) return AnswerConnect(call, denials);
  if (nr >= 0 && nr == tables_->socket_number && MakesNetworkSocket(call.data)) {
    met_network_ = true;
    ++continued_;
    return Continue(call.id);
  }
  const SeccompFamily& family = FamilyOf(nr, *tables_);
  ++refusals_;
  Send(call.id, SyscallName(nr).empty() ? ENOSYS : family.answer);
  if (!family.reported) return;
  const SyscallRefusal refusal = ExplainSyscallRefusal(nr, *tables_);
  Add(denials, {"syscall", DescribeSyscall(call.data, *tables_), 1,
                fmt::format("{} {}", refusal.reason, refusal.remedy)});
}

void SeccompListener::AnswerConnect(const seccomp_notif& call, std::vector<Denial>& denials) {
  std::array<std::byte, sizeof(sockaddr_storage)> buffer = {};
  // An int for the kernel; the filter sends small sizes only.
  const std::size_t size =
      std::min<std::size_t>(static_cast<std::uint32_t>(call.data.args[2]), buffer.size());
  const auto bytes = ReadMemory(call.pid, call.data.args[1], std::span(buffer).first(size));
  // Checked after reading: before it, the thread may have died and its id may be another's by now.
  if (!StillWaits(call.id)) return;
  const PeerAddress peer = ReadPeerAddress(bytes);
  if (peer.reach != PeerAddress::Reach::kNetwork || (peer.loopback && loopback_)) {
    ++continued_;
    return Continue(call.id);
  }
  ++refusals_;
  Send(call.id, ENETUNREACH);
  Add(denials, DescribeConnect(peer, loopback_));
}

bool SeccompListener::StillWaits(std::uint64_t id) const {
  return ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void SeccompListener::Send(std::uint64_t id, int error) {
  seccomp_notif_resp response = {};
  response.id = id;
  response.error = -error;
  Reply(response);
}

void SeccompListener::Continue(std::uint64_t id) {
  seccomp_notif_resp response = {};
  response.id = id;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  Reply(response);
}

// A caller that died in the meantime (ENOENT) needs no answer.
void SeccompListener::Reply(const seccomp_notif_resp& response) {
  std::ranges::fill(response_buffer_, 0);
  std::memcpy(response_buffer_.data(), &response, sizeof(response));
  ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_buffer_.data());
}

void SeccompListener::Add(std::vector<Denial>& denials, Denial denial) {
  if (!told_.contains({denial.kind, denial.what})) {
    if (told_.size() < kDistinctMax) {
      told_.emplace(denial.kind, denial.what);
    } else {
      denial.what = "other";
      denial.remedy = "Too many different refusals to list; fix the first ones.";
    }
  }
  const auto same = std::ranges::find_if(
      denials, [&](const Denial& known) { return known.kind == denial.kind && known.what == denial.what; });
  if (same == denials.end()) {
    denials.push_back(std::move(denial));
  } else {
    same->count += denial.count;
  }
}

}  // namespace casemate
