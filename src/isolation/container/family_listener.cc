#include "isolation/container/family_listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/errno.h"
#include "confine/syscalls.h"

namespace casemate::container {
namespace {

std::size_t Words(std::size_t ours, std::size_t kernels) {
  return (std::max(ours, kernels) + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
}

void AddDenials(std::vector<Denial>& to, std::vector<Denial> denials) {
  for (Denial& denial : denials) {
    const auto same = std::ranges::find_if(
        to, [&](const Denial& known) { return known.kind == denial.kind && known.what == denial.what; });
    if (same == to.end()) {
      to.push_back(std::move(denial));
    } else {
      same->count += denial.count;
    }
  }
}

}  // namespace

std::uint64_t PidNamespaceOf(int pid) {
  struct stat info {};
  return stat(fmt::format("/proc/{}/ns/pid", pid).c_str(), &info) == 0 ? info.st_ino : 0;
}

FamilyListener::FamilyListener(UniqueFd listener) : listener_(std::move(listener)) {
  seccomp_notif_sizes sizes = {};
  (void)syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
  call_buffer_.resize(Words(sizeof(seccomp_notif), sizes.seccomp_notif));
  response_buffer_.resize(Words(sizeof(seccomp_notif_resp), sizes.seccomp_notif_resp));
}

Expected<std::shared_ptr<FamilyMember>> FamilyListener::Join(int init, std::uint64_t pid_namespace) {
  auto member = std::make_shared<FamilyMember>(
      FamilyMember{pid_namespace,
                   SeccompListener(UniqueFd(fcntl(listener_.get(), F_DUPFD_CLOEXEC, 0))),
                   UniqueFd(fcntl(init, F_DUPFD_CLOEXEC, 0)),
                   UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
                   UniqueFd(epoll_create1(EPOLL_CLOEXEC)),
                   {}});
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(member->watch.get(), EPOLL_CTL_ADD, listener_.get(), &event) != 0 ||
      epoll_ctl(member->watch.get(), EPOLL_CTL_ADD, member->told.get(), &event) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "epoll_ctl");
  }
  std::erase_if(members_, [](const auto& known) { return known.expired(); });
  members_.push_back(member);
  return member;
}

// As SeccompListener::TakeOne.
std::optional<seccomp_notif> FamilyListener::Receive() {
  for (;;) {
    pollfd state = {listener_.get(), POLLIN, 0};
    if (poll(&state, 1, 0) <= 0 || (state.revents & POLLIN) == 0) return std::nullopt;
    std::ranges::fill(call_buffer_, 0);
    if (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, call_buffer_.data()) == 0) {
      seccomp_notif call;
      std::memcpy(&call, call_buffer_.data(), sizeof(call));
      return call;
    }
    if (errno != ENOENT && errno != EINTR) return std::nullopt;
  }
}

std::shared_ptr<FamilyMember> FamilyListener::MemberOf(std::uint32_t pid) {
  const std::uint64_t pid_namespace = PidNamespaceOf(static_cast<int>(pid));
  for (const auto& known : members_) {
    auto member = known.lock();
    if (member && pid_namespace != 0 && member->pid_namespace == pid_namespace) return member;
  }
  return nullptr;
}

void FamilyListener::AnswerFor(FamilyMember& member, const seccomp_notif& call) {
  std::vector<Denial> denials;
  member.answers.Answer(call, denials);
  AddDenials(member.pending, std::move(denials));
  if (member.answers.flooded()) PidfdSendSignal(member.init.get(), SIGKILL);
}

std::vector<Denial> FamilyListener::Take(FamilyMember& member) {
  const std::lock_guard lock(mutex_);
  eventfd_t ignored = 0;
  (void)eventfd_read(member.told.get(), &ignored);
  for (int answered = 0; answered < SeccompListener::kBatchMax; ++answered) {
    const auto call = Receive();
    if (!call) break;
    const auto caller = MemberOf(call->pid);
    // Looked up while it waits: its number is nobody else's.
    if (!StillWaits(call->id)) continue;
    if (!caller) {
      Refuse(call->id, EPERM);
      continue;
    }
    AnswerFor(*caller, *call);
    if (caller.get() != &member) (void)eventfd_write(caller->told.get(), 1);
  }
  return std::exchange(member.pending, {});
}

std::optional<seccomp_notif> FamilyListener::Await(const Deadline& deadline, const FamilyMember& origin) {
  for (;;) {
    if (const auto call = Receive()) {
      const auto caller = MemberOf(call->pid);
      if (!StillWaits(call->id)) continue;
      if (!caller || caller.get() == &origin) return call;
      AnswerFor(*caller, *call);
      (void)eventfd_write(caller->told.get(), 1);
      continue;
    }
    if (deadline.Passed()) return std::nullopt;
    std::array<pollfd, 2> entries = {pollfd{listener_.get(), POLLIN, 0},
                                     pollfd{origin.init.get(), POLLIN, 0}};
    (void)poll(entries.data(), entries.size(), static_cast<int>(deadline.RemainingMs()));
    if (entries[1].revents != 0 || (entries[0].revents & ~POLLIN) != 0) return std::nullopt;
  }
}

bool FamilyListener::StillWaits(std::uint64_t id) const {
  return ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void FamilyListener::Continue(std::uint64_t id) { Reply(id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }
void FamilyListener::Return(std::uint64_t id, std::int64_t value) { Reply(id, value, 0, 0); }
void FamilyListener::Refuse(std::uint64_t id, int err) { Reply(id, 0, -err, 0); }

void FamilyListener::Reply(std::uint64_t id, std::int64_t value, int error, std::uint32_t flags) {
  seccomp_notif_resp response = {};
  response.id = id;
  response.val = value;
  response.error = error;
  response.flags = flags;
  std::ranges::fill(response_buffer_, 0);
  std::memcpy(response_buffer_.data(), &response, sizeof(response));
  ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_buffer_.data());
}

bool FamilyListener::Hand(std::uint64_t id, int fd, int number) {
  seccomp_notif_addfd given = {};
  given.id = id;
  given.flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND;
  given.srcfd = static_cast<std::uint32_t>(fd);
  given.newfd = static_cast<std::uint32_t>(number);
  given.newfd_flags = O_CLOEXEC;
  return ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &given) == number;
}

}  // namespace casemate::container
