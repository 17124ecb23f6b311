#include "isolation/docker/inside/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "casemate/backend.h"
#include "confine/landlock.h"

namespace casemate::docker {
namespace {

// Above RLIMIT_NOFILE of the program, and above the pipes' own numbers.
constexpr int kParkedFd = 1200;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe MakePipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) WireChannel::Fail(errno, "make a pipe");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// What the child reports when it cannot go on: what it was doing, and why.
struct Trouble {
  int err = 0;
  const char* what = "";  // the parent has the same texts at the same place
};

[[noreturn]] void GiveUp(int report, const char* what) {
  const Trouble trouble{errno, what};
  (void)!write(report, &trouble, sizeof(trouble));
  _exit(127);
}

std::vector<char*> Words(std::vector<std::string>& texts) {
  std::vector<char*> words;
  for (std::string& text : texts) words.push_back(text.data());
  words.push_back(nullptr);
  return words;
}

// Its parent is the first process of the container: this one may be taken first when memory runs short.
void OfferToOomKiller() {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)!write(file, "1000", 4);
  close(file);
}

struct Ends {
  int stdin_end;
  int stdout_end;
  int stderr_end;
  int request_end;
  int result_end;
};

void PlaceDescriptors(const Ends& ends, int report) {
  const std::array<std::pair<int, int>, 5> moves{{{ends.stdin_end, STDIN_FILENO},
                                                  {ends.stdout_end, STDOUT_FILENO},
                                                  {ends.stderr_end, STDERR_FILENO},
                                                  {ends.request_end, kRequestFd},
                                                  {ends.result_end, kResultFd}}};
  for (const auto& [from, to] : moves) {
    if (from >= 0 && dup2(from, to) < 0) GiveUp(report, "place its descriptors");
  }
}

[[noreturn]] void RunChild(Order& order, const Ends& ends, int report) {
  std::vector<char*> argv = Words(order.argv);
  std::vector<char*> env = Words(order.env);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (setsid() < 0) GiveUp(report, "make its session");
  OfferToOomKiller();
  PlaceDescriptors(ends, report);
  if (chdir(order.working_dir.c_str()) != 0) GiveUp(report, "enter its working folder");
  for (const ResourceLimit& limit : order.limits) {
    if (setrlimit(static_cast<__rlimit_resource>(limit.resource), &limit.value) != 0)
      GiveUp(report, "set its limits");
  }
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
    errno = EPERM;
    GiveUp(report, "find no_new_privs set by the Docker Engine");
  }
  if (const int failed = RestrictWithLandlock(order.landlock); failed != 0) {
    errno = -failed;
    GiveUp(report, "restrict it with Landlock");
  }
  int err = ENOENT;
  for (const std::string& path : order.candidates) {
    execve(path.c_str(), argv.data(), env.data());
    if (errno != ENOENT && errno != ENOTDIR) err = errno;
  }
  errno = err;
  GiveUp(report, "execute it");
}

}  // namespace

Program StartProgram(Order& order) {
  Pipe in = MakePipe();
  Pipe out = MakePipe();
  Pipe err = MakePipe();
  Pipe request = order.control ? MakePipe() : Pipe();
  Pipe result = order.control ? MakePipe() : Pipe();
  Pipe report = MakePipe();
  UniqueFd parked(fcntl(report.write_end.get(), F_DUPFD_CLOEXEC, kParkedFd));
  if (!parked.valid()) WireChannel::Fail(errno, "make a descriptor above the program's");
  report.write_end.reset();
  const pid_t pid = fork();
  if (pid < 0) WireChannel::Fail(errno, "fork the program");
  if (pid == 0) {
    RunChild(order,
             {in.read_end.get(), out.write_end.get(), err.write_end.get(), request.read_end.get(),
              result.write_end.get()},
             parked.get());
  }
  parked.reset();
  Trouble trouble;
  ssize_t count = 0;
  while ((count = read(report.read_end.get(), &trouble, sizeof(trouble))) < 0 && errno == EINTR) {
  }
  if (count != 0) WireChannel::Fail(trouble.err, trouble.what);
  if (!order.stdin_pipe) in.write_end.reset();
  for (UniqueFd* fd : {&in.write_end, &request.write_end, &out.read_end, &err.read_end, &result.read_end}) {
    if (fd->valid()) fcntl(fd->get(), F_SETFL, O_NONBLOCK);
  }
  return {pid,
          std::move(in.write_end),
          std::move(request.write_end),
          std::move(out.read_end),
          std::move(err.read_end),
          std::move(result.read_end)};
}

}  // namespace casemate::docker
