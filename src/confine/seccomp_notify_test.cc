#include "confine/seccomp_notify.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "confine/seccomp_filter.h"

// On the real kernel: a child installs the filter on itself and tries things, the parent answers. Needs no
// privilege.

namespace casemate {
namespace {

void SendFd(int socket, int fd) {
  char byte = 'f';
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  if (sendmsg(socket, &message, 0) != 1) _exit(101);
}

UniqueFd ReceiveFd(int socket) {
  char byte = 0;
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  int fd = -1;
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message) != nullptr) {
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
  }
  return UniqueFd(fd);
}

// A child under the filter. Its socket() to the parent is for the test's own signals.
class ConfinedChild {
 public:
  explicit ConfinedChild(const std::function<int(int)>& program) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      close(pair[0]);
      if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(102);
      const int listener = InstallSeccompFilter(ContainerSeccompFilter(), true);
      if (listener < 0) _exit(103);
      SendFd(pair[1], listener);
      close(listener);
      _exit(program(pair[1]));
    }
    close(pair[1]);
    socket_ = UniqueFd(pair[0]);
    listener_.emplace(ReceiveFd(socket_.get()));
    pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  }
  ~ConfinedChild() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  SeccompListener& listener() { return *listener_; }
  int socket() const { return socket_.get(); }

  // Answers until the child ends; its wait status.
  int Serve() {
    for (;;) {
      pollfd waits[2] = {{listener_->fd(), POLLIN, 0}, {pidfd_.get(), POLLIN, 0}};
      if (poll(waits, 2, 20'000) <= 0) break;
      for (const Denial& denial : listener_->Take()) {
        Denial& sum = denials_[denial.kind + ":" + denial.what];
        const std::int64_t before = sum.remedy.empty() ? 0 : sum.count;
        sum = denial;
        sum.count += before;
      }
      if (waits[1].revents != 0) break;
    }
    int status = -1;
    if (waitpid(pid_, &status, WNOHANG) == pid_) pid_ = -1;
    return status;
  }

  std::map<std::string, Denial>& denials() { return denials_; }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, denial] : denials_) names.push_back(name);
    return names;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd socket_;
  UniqueFd pidfd_;
  std::optional<SeccompListener> listener_;
  std::map<std::string, Denial> denials_;
};

// 0 when `result` is a failure with `expected`, else the errno found (200 for a success).
int Wants(long result, int expected) {
  if (result >= 0) return 200;
  return errno == expected ? 0 : errno;
}

int Exit(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

int Connect(int family, const char* address, std::uint16_t port) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in six4 = {};
  sockaddr_in6 six6 = {};
  six4.sin_family = AF_INET;
  six4.sin_port = htons(port);
  six6.sin6_family = AF_INET6;
  six6.sin6_port = htons(port);
  inet_pton(family, address, family == AF_INET ? static_cast<void*>(&six4.sin_addr) : &six6.sin6_addr);
  const int result = family == AF_INET ? connect(fd, reinterpret_cast<sockaddr*>(&six4), sizeof(six4))
                                       : connect(fd, reinterpret_cast<sockaddr*>(&six6), sizeof(six6));
  const int error = errno;
  close(fd);
  errno = error;
  return result;
}

TEST(SeccompListenerTest, RefusesReportsAndExplains) {
  ConfinedChild child([](int) {
    int wrong = Wants(mount("none", "/tmp", "tmpfs", 0, nullptr), EPERM);
    for (int i = 0; i < 3 && wrong == 0; ++i) wrong = Wants(syscall(SYS_bpf, 0, 0, 0), EPERM);
    if (wrong == 0) wrong = Wants(unshare(CLONE_NEWUSER | CLONE_NEWNET), EPERM);
    char typed = 'x';
    if (wrong == 0) wrong = Wants(ioctl(0, TIOCSTI, &typed), EPERM);
    if (wrong == 0) wrong = Wants(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
    if (wrong == 0) wrong = Wants(socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT);
    if (wrong == 0) wrong = Wants(syscall(600), ENOSYS);
    if (wrong == 0) wrong = Wants(syscall(462, 0, 0, 0), ENOSYS);  // mseal
    if (wrong == 0) wrong = Wants(syscall(457, 0, 0, 0), ENOSYS);  // statmount
    return wrong;
  });
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_THAT(child.Names(), testing::UnorderedElementsAre(
                                 "syscall:mount", "syscall:bpf", "syscall:unshare CLONE_NEWNET|CLONE_NEWUSER",
                                 "syscall:ioctl TIOCSTI", "syscall:socket AF_PACKET",
                                 "syscall:system call 600", "syscall:statmount"));
  EXPECT_EQ(child.denials()["syscall:bpf"].count, 3);
  EXPECT_EQ(child.denials()["syscall:mount"].count, 1);
  EXPECT_THAT(child.denials()["syscall:mount"].remedy, testing::HasSubstr("-v HOST:INSIDE:ro"));
}

TEST(SeccompListenerTest, OrdinaryWorkIsNotNoticed) {
  ConfinedChild child([](int) {
    int ran = 0;
    std::thread thread([&] { ran = 1; });  // clone3, then clone
    thread.join();
    const pid_t forked = fork();
    if (forked == 0) _exit(7);
    int status = 0;
    if (waitpid(forked, &status, 0) != forked || Exit(status) != 7) return 2;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || write(pair[0], "x", 1) != 1) return 3;
    if (prctl(PR_SET_NAME, "worker", 0, 0, 0) != 0 || isatty(pair[0]) != 0) return 4;
    return ran == 1 ? 0 : 5;
  });
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_THAT(child.Names(), testing::IsEmpty());
}

TEST(SeccompListenerTest, NetworkAttemptsAreNamed) {
  ConfinedChild child([](int) {
    int wrong = Wants(Connect(AF_INET, "192.0.2.1", 443), ENETUNREACH);
    if (wrong == 0) wrong = Wants(Connect(AF_INET, "192.0.2.1", 443), ENETUNREACH);
    if (wrong == 0) wrong = Wants(Connect(AF_INET6, "2001:db8::1", 80), ENETUNREACH);
    if (wrong == 0) wrong = Wants(Connect(AF_INET, "127.0.0.1", 53), ENETUNREACH);
    return wrong;
  });
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_THAT(child.Names(), testing::UnorderedElementsAre("network:connect 192.0.2.1:443",
                                                           "network:connect [2001:db8::1]:80",
                                                           "network:connect 127.0.0.1:53"));
  EXPECT_EQ(child.denials()["network:connect 192.0.2.1:443"].count, 2);
}

TEST(SeccompListenerTest, NotesWhetherANetworkSocketWasMade) {
  ConfinedChild local([](int) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
    return Wants(socket(AF_INET, SOCK_RAW, 1), EPERM) == 0 || errno == EAFNOSUPPORT ? 0 : 2;
  });
  EXPECT_EQ(Exit(local.Serve()), 0);
  EXPECT_FALSE(local.listener().met_network());
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    for (const int family : {AF_INET, AF_INET6}) {
      ConfinedChild networked(
          [family, type](int) { return socket(family, type | SOCK_CLOEXEC, 0) >= 0 ? 0 : 1; });
      EXPECT_EQ(Exit(networked.Serve()), 0);
      EXPECT_TRUE(networked.listener().met_network());
      EXPECT_THAT(networked.Names(), testing::IsEmpty());
    }
  }
}

TEST(SeccompListenerTest, UnixConnectsWorkAtEverySizeOfAddress) {
  char folder[] = "/tmp/seccomp_notify_test.XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  ConfinedChild child([&](int) {
    if (chdir(folder) != 0) return 1;
    // Path lengths whose addresses are as long as a sockaddr_in, a sockaddr_in6, and neither.
    for (const std::size_t length : {std::size_t{13}, std::size_t{25}, std::size_t{20}}) {
      sockaddr_un address = {};
      address.sun_family = AF_UNIX;
      std::memset(address.sun_path, 'a', length);
      const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + 1);
      const int server = socket(AF_UNIX, SOCK_STREAM, 0);
      const int client = socket(AF_UNIX, SOCK_STREAM, 0);
      if (bind(server, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(server, 1) != 0) return 2;
      if (connect(client, reinterpret_cast<sockaddr*>(&address), size) != 0) return 3;
      unlink(address.sun_path);
    }
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    return Wants(syscall(SYS_connect, fd, 8, 16), EFAULT);
  });
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_THAT(child.Names(), testing::IsEmpty());
  rmdir(folder);
}

TEST(SeccompListenerTest, AFloodClosesTheListenerAndGrantsNothing) {
  ConfinedChild child([](int) {
    int refused = 0;
    for (int i = 0; i < SeccompListener::kRefusalsMax + 500; ++i) {
      if (mount("none", "/tmp", "tmpfs", 0, nullptr) == 0) return 1;
      refused += errno == EPERM ? 1 : 0;
    }
    return refused == SeccompListener::kRefusalsMax && errno == ENOSYS ? 0 : 2;
  });
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_EQ(child.listener().fd(), -1);
  EXPECT_EQ(child.denials()["syscall:mount"].count, SeccompListener::kRefusalsMax);
  EXPECT_EQ(child.denials()["limit:refused_calls"].count, 1);
  EXPECT_THAT(child.listener().Take(), testing::IsEmpty());
}

TEST(SeccompListenerTest, DifferentRefusalsAreBounded) {
  ConfinedChild child([](int) {
    for (int nr = 500; nr < 700; ++nr) syscall(nr);
    return 0;
  });
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_EQ(child.denials().size(), SeccompListener::kDistinctMax + 1);
  EXPECT_EQ(child.denials()["syscall:other"].count, 200 - static_cast<int>(SeccompListener::kDistinctMax));
}

TEST(SeccompListenerTest, ACallerThatDiesBeforeItsAnswerDoesNotBlock) {
  ConfinedChild child([](int socket) {
    const pid_t victim = fork();
    if (victim == 0) {
      mount("none", "/tmp", "tmpfs", 0, nullptr);
      _exit(1);
    }
    const timespec moment = {0, 50'000'000};  // the victim waits for its answer by then
    nanosleep(&moment, nullptr);
    kill(victim, SIGKILL);
    waitpid(victim, nullptr, 0);
    char byte = 'd';
    if (write(socket, &byte, 1) != 1) return 1;
    if (read(socket, &byte, 1) != 1) return 2;
    return Wants(syscall(SYS_bpf, 0, 0, 0), EPERM);
  });
  char byte = 0;
  ASSERT_EQ(read(child.socket(), &byte, 1), 1);
  EXPECT_THAT(child.listener().Take(), testing::IsEmpty());
  ASSERT_EQ(write(child.socket(), &byte, 1), 1);
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_THAT(child.Names(), testing::ElementsAre("syscall:bpf"));
}

TEST(SeccompListenerTest, AFilterOfTheProgramsOwnIsRefused) {
  ConfinedChild child([](int) {
    sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    sock_filter ask = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    const sock_fprog harmless = {1, &allow};
    const sock_fprog asking = {1, &ask};
    const long own = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &asking);
    int wrong = Wants(own, EINVAL);
    if (wrong == 0) wrong = Wants(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &harmless), EINVAL);
    if (wrong == 0) wrong = Wants(mount("none", "/tmp", "tmpfs", 0, nullptr), EPERM);
    return wrong;
  });
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_THAT(child.Names(), testing::ElementsAre("syscall:mount"));
}

TEST(SeccompListenerTest, ClosesWhenTheLastProcessIsGone) {
  ConfinedChild child([](int) { return 0; });
  EXPECT_EQ(Exit(child.Serve()), 0);
  EXPECT_THAT(child.listener().Take(), testing::IsEmpty());
  EXPECT_EQ(child.listener().fd(), -1);
}

TEST(SeccompListenerTest, AnInvalidDescriptorIsAClosedListener) {
  SeccompListener listener{UniqueFd()};
  EXPECT_THAT(listener.Take(), testing::IsEmpty());
  EXPECT_EQ(listener.fd(), -1);
}

#if defined(__x86_64__)
TEST(SeccompListenerTest, TheX32EntryKills) {
  ConfinedChild child([](int) {
    syscall(0x40000000 + SYS_getpid);
    return 0;
  });
  EXPECT_EQ(Exit(child.Serve()), -SIGSYS);
}

TEST(SeccompListenerTest, The32BitEntryKills) {
  ConfinedChild child([](int) {
    long result = 20;  // getpid of i386
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    return 0;
  });
  // A kernel without 32-bit emulation answers the instruction itself with SIGSEGV.
  EXPECT_THAT(Exit(child.Serve()), testing::AnyOf(-SIGSYS, -SIGSEGV));
}
#endif

TEST(InstallSeccompFilterTest, WithoutAListenerRefusedCallsDoNotExist) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(102);
    if (InstallSeccompFilter(ContainerSeccompFilter(), false) != 0) _exit(103);
    _exit(Wants(mount("none", "/tmp", "tmpfs", 0, nullptr), ENOSYS));
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(Exit(status), 0);
}

TEST(InstallSeccompFilterTest, AnInvalidProgramIsAnError) {
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const sock_filter broken[] = {BPF_STMT(BPF_RET | BPF_X, 0)};
    _exit(InstallSeccompFilter(broken, true) == -EINVAL ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(Exit(status), 0);
}

}  // namespace
}  // namespace casemate
