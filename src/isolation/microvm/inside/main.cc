// The init of a guest of the microvm tier: process 1 on an initramfs that Casemate has made.
//
//   modules, control port, root image, /proc, /dev, cgroup   (the same for every run)
//   tells that it is ready ---------------------------------> here the engine saves its template
//   takes the BootOrder: entropy, clock, limits, filter       (of this run alone)
//   file systems for what is written, the root, no privilege
//   becomes the attendant (isolation/docker/inside), which runs the program
//
// There is no supervisor in the guest that could fall back on anything: what cannot be done is told through
// the port, and the guest ends.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/random.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "isolation/microvm/inside/boot.h"
#include "isolation/wire/wire.h"

namespace casemate::microvm {
namespace {

constexpr const char* kAttendant = "/usr/libexec/casemate-attendant";
constexpr const char* kImage = "/dev/vda";
constexpr const char* kRoot = "/root";
constexpr uid_t kProgramId = 1000;
constexpr int kGone = 125;

int port = -1;

void WriteOut(const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t count = write(port, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) _exit(kGone);
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
}

void Send(Wire kind, const std::string& payload) {
  std::string frame(1, static_cast<char>(kind));
  for (unsigned shift = 0; shift < 32; shift += 8) frame += static_cast<char>(payload.size() >> shift & 0xff);
  frame += payload;
  WriteOut(frame.data(), frame.size());
}

[[noreturn]] void Fail(const std::string& what) {
  const int err = errno;
  if (port >= 0) {
    Send(Wire::kFailed, std::to_string(err) + " " + what);
  } else {
    const std::string line = "casemate: cannot " + what + ": " + std::to_string(err) + "\n";
    const int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    (void)!write(log, line.data(), line.size());
  }
  _exit(kGone);
}

void Mount(const char* source, const std::string& target, const char* type, unsigned long flags,
           const std::string& options = "") {
  if (mount(source, target.c_str(), type, flags, options.empty() ? nullptr : options.c_str()) != 0)
    Fail("mount " + target);
}

void WriteFile(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    Fail("write " + path);
  close(file);
}

void LoadModules() {
  const int list = open(kModuleList, O_RDONLY | O_CLOEXEC);
  std::string names;
  std::array<char, 4096> bytes{};
  for (ssize_t count = 0; (count = read(list, bytes.data(), bytes.size())) > 0;)
    names.append(bytes.data(), static_cast<std::size_t>(count));
  close(list);
  for (std::size_t begin = 0; begin < names.size();) {
    const std::size_t end = names.find('\n', begin);
    const std::string path = names.substr(begin, end - begin);
    begin = end + 1;
    const int module = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (module < 0 || syscall(SYS_finit_module, module, "", 0) != 0) Fail("load " + path);
    close(module);
  }
}

// A device appears when its driver has found it, which may be later than the driver.
int OpenDevice(const char* path, int flags) {
  constexpr int kTries = 5000;
  for (int i = 0; i < kTries; ++i) {
    const int device = open(path, flags | O_CLOEXEC);
    if (device >= 0) return device;
    usleep(1000);
  }
  Fail(std::string("find ") + path);
}

// Nodes of our own in place of the kernel's: the program sees no other device.
void MakeDevices(const std::string& dev) {
  struct Device {
    const char* name;
    unsigned minor;
  };
  constexpr std::array kDevices = {Device{"null", 3}, Device{"zero", 5}, Device{"full", 7},
                                   Device{"random", 8}, Device{"urandom", 9}};
  Mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k,nr_inodes=32");
  constexpr unsigned kMemoryDevices = 1;
  for (const Device& device : kDevices) {
    const std::string path = dev + "/" + device.name;
    if (mknod(path.c_str(), S_IFCHR | 0666, makedev(kMemoryDevices, device.minor)) != 0 ||
        chmod(path.c_str(), 0666) != 0)
      Fail("make " + path);
  }
  struct Link {
    const char* name;
    const char* target;
  };
  constexpr std::array kLinks = {Link{"fd", "/proc/self/fd"}, Link{"stdin", "/proc/self/fd/0"},
                                 Link{"stdout", "/proc/self/fd/1"}, Link{"stderr", "/proc/self/fd/2"}};
  for (const Link& link : kLinks) {
    if (symlink(link.target, (dev + "/" + link.name).c_str()) != 0) Fail("make /dev");
  }
  if (mkdir((dev + "/shm").c_str(), 0755) != 0) Fail("make /dev/shm");
}

// What no run differs in.
void Prepare() {
  mkdir("/dev", 0755);
  Mount("devtmpfs", "/dev", "devtmpfs", 0);
  LoadModules();
  port = OpenDevice(kControlPort, O_RDWR);
  close(OpenDevice(kImage, O_RDONLY));
  for (const char* folder : {kRoot, "/scratch", "/cgroup"}) mkdir(folder, 0755);
  Mount(kImage, kRoot, "squashfs", MS_RDONLY | MS_NOSUID | MS_NODEV);
  const std::string root = kRoot;
  Mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid,hidepid=invisible");
  MakeDevices(root + "/dev");
  Mount("cgroup2", "/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  // As in the other tiers, what is too much is refused when it is used, by the limit, and not by guess.
  mkdir("/proc", 0755);
  Mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  WriteFile("/proc/sys/vm/overcommit_memory", "1");
  umount2("/proc", 0);
  WriteFile("/cgroup/cgroup.subtree_control", "+memory +pids");
  if (mkdir("/cgroup/run", 0755) != 0) Fail("make a cgroup");
}

void ReadAll(void* into, std::size_t size) {
  auto* bytes = static_cast<char*>(into);
  while (size > 0) {
    const ssize_t count = read(port, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) _exit(kGone);
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
}

// Every guest of one template has the same state of the random generator until here.
void Reseed(const BootOrder& order) {
  // rand_pool_info: two numbers and the bytes.
  std::array<unsigned, 2 + BootOrder::kEntropyBytes / sizeof(unsigned)> entropy{BootOrder::kEntropyBytes * 8,
                                                                                BootOrder::kEntropyBytes};
  std::memcpy(&entropy[2], order.entropy, BootOrder::kEntropyBytes);
  const int random = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  if (random < 0 || ioctl(random, RNDADDENTROPY, entropy.data()) != 0 || ioctl(random, RNDRESEEDCRNG) != 0)
    Fail("take fresh randomness");
  close(random);
  const timespec now{order.realtime_s, order.realtime_ns};
  if (clock_settime(CLOCK_REALTIME, &now) != 0) Fail("set the clock");
}

void MountWritable(const BootOrder& order) {
  const std::string root = kRoot;
  const auto limits = [](std::uint64_t bytes, std::uint64_t files) {
    return "size=" + std::to_string(bytes) + ",nr_inodes=" + std::to_string(files);
  };
  struct Place {
    const char* name;
    const char* target;
    mode_t mode;
    unsigned long flags;
  };
  constexpr unsigned long kSealed = MS_NOSUID | MS_NODEV;
  constexpr std::array kPlaces = {Place{"tmp", "/tmp", 01777, MS_NOEXEC},
                                  Place{"shm", "/dev/shm", 01777, MS_NOEXEC},
                                  Place{"workspace", "/workspace", 0755, 0}};
  // One file system, so that its size is the limit of all of them together.
  Mount("tmpfs", "/scratch", "tmpfs", kSealed,
        limits(order.scratch_bytes, order.scratch_files + kPlaces.size() + 1) + ",mode=755");
  for (const Place& place : kPlaces) {
    const std::string folder = std::string("/scratch/") + place.name;
    if (mkdir(folder.c_str(), 0700) != 0 || chown(folder.c_str(), kProgramId, kProgramId) != 0 ||
        chmod(folder.c_str(), place.mode) != 0)
      Fail("make " + folder);
    Mount(folder.c_str(), root + place.target, nullptr, MS_BIND);
    Mount(nullptr, root + place.target, nullptr, MS_REMOUNT | MS_BIND | kSealed | place.flags);
  }
  Mount("tmpfs", root + "/casemate", "tmpfs", kSealed | MS_NOEXEC,
        limits(order.own_bytes, 4096) + ",mode=755,uid=1000,gid=1000");
  Mount(nullptr, root + "/dev", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC);
}

void EnterRoot() {
  umount2("/dev", MNT_DETACH);
  if (chdir(kRoot) != 0 || mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || chroot(".") != 0 ||
      chdir("/") != 0)
    Fail("enter the root");
}

// The machine has no other interface.
void RaiseLoopback() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (socket < 0 || ioctl(socket, SIOCSIFFLAGS, &request) != 0) Fail("raise the loopback");
  close(socket);
}

void Limit(__rlimit_resource resource, rlim_t value) {
  const rlimit limit{value, value};
  if (setrlimit(resource, &limit) != 0) Fail("set its limits");
}

void DropPrivileges() {
  for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) Fail("drop its privileges");
  }
  if (syscall(SYS_setgroups, 0, nullptr) != 0 ||
      syscall(SYS_setresgid, kProgramId, kProgramId, kProgramId) != 0 ||
      syscall(SYS_setresuid, kProgramId, kProgramId, kProgramId) != 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    Fail("drop its privileges");
  // Gone, or it goes no further.
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> held{};
  if (syscall(SYS_capget, &head, held.data()) != 0) Fail("look at its privileges");
  for (const auto& set : held) {
    if ((set.effective | set.permitted | set.inheritable) != 0) {
      errno = EPERM;
      Fail("drop its privileges");
    }
  }
}

[[noreturn]] void BecomeAttendant(const BootOrder& order, std::vector<sock_filter>& filter) {
  WriteFile("/cgroup/run/memory.max", std::to_string(order.memory_bytes));
  WriteFile("/cgroup/run/pids.max", std::to_string(order.processes_max));
  WriteFile("/cgroup/run/cgroup.procs", "1");
  const int cgroup = open("/cgroup/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  constexpr int kParked = 100;
  const int parked = fcntl(port, F_DUPFD_CLOEXEC, kParked);
  const int folder = fcntl(cgroup, F_DUPFD_CLOEXEC, kParked);
  if (parked < 0 || folder < 0) Fail("find its cgroup");
  MountWritable(order);
  if (order.raises_loopback != 0) RaiseLoopback();
  if (sethostname("sandbox", std::strlen("sandbox")) != 0) Fail("set the host's name");
  EnterRoot();
  // 1, not 0: as in confine/program_plan.cc.
  Limit(RLIMIT_CORE, 1);
  Limit(RLIMIT_NOFILE, order.open_files_max);
  Limit(RLIMIT_MEMLOCK, 65536);
  Limit(RLIMIT_RTPRIO, 0);
  Limit(RLIMIT_NICE, 0);
  DropPrivileges();
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (dup2(parked, number) < 0) Fail("place its descriptors");
  }
  if (dup2(folder, kCgroupFd) < 0) Fail("place its descriptors");
  port = STDOUT_FILENO;
  sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    Fail("install the filter of system calls");
  std::string path = kAttendant;
  std::string word = kCgroupWord;
  std::array<char*, 3> argv = {path.data(), word.data(), nullptr};
  std::array<char*, 1> env = {nullptr};
  execve(kAttendant, argv.data(), env.data());
  Fail("execute the attendant");
}

[[noreturn]] void RunInit() {
  umask(0);
  Prepare();
  Send(Wire::kReady, "");
  BootOrder order;
  ReadAll(&order, sizeof(order));
  if (order.magic != BootOrder::kMagic || order.filter_length > BootOrder::kFilterMax) {
    errno = EPROTO;
    Fail("read the engine's words");
  }
  std::vector<sock_filter> filter(order.filter_length);
  ReadAll(filter.data(), filter.size() * sizeof(sock_filter));
  Reseed(order);
  umask(022);
  BecomeAttendant(order, filter);
}

}  // namespace
}  // namespace casemate::microvm

int main() { casemate::microvm::RunInit(); }
