#include "confine/id_pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <span>

#include "base/command.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/user.h"

namespace casemate {
namespace {

// systemd's UIDS-GIDS document lists 0x70000000 to 0x7FFFFFFF as used by nobody.
constexpr IdRange kUnusedRange{0x70000000U, 0x00100000U};
constexpr uid_t kSlotsMax = 32'768;  // no host runs more at once; keeps the lock file's offsets small

template <std::size_t N>
bool ParseNumbers(std::string_view line, char separator, std::array<std::uint32_t, N>& numbers) {
  for (std::uint32_t& number : numbers) {
    while (!line.empty() && (line.front() == separator || line.front() == ' ')) line.remove_prefix(1);
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc()) return false;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  }
  return true;
}

template <typename Visit>
void ForEachLine(std::string_view text, const Visit& visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// subuid(5): "name or uid:first:count".
std::vector<IdRange> RangesOf(std::string_view text, std::string_view name, std::string_view uid) {
  std::vector<IdRange> ranges;
  ForEachLine(text, [&](std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view owner = line.substr(0, colon);
    std::array<std::uint32_t, 2> numbers{};
    if (!owner.empty() && (owner == name || owner == uid) && ParseNumbers(line.substr(colon), ':', numbers)) {
      ranges.push_back({numbers[0], numbers[1]});
    }
  });
  return ranges;
}

// capget(2), not /proc/self/status: that text costs the kernel some 50 us.
bool MayChangeIds() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return false;
  constexpr std::uint32_t kNeeded = (1U << CAP_SETUID) | (1U << CAP_SETGID);
  return (sets[0].effective & kNeeded) == kNeeded;
}

Expected<void> WriteMapFile(pid_t pid, std::string_view file, const std::string& text) {
  const std::string path = fmt::format("/proc/{}/{}", pid, file);
  auto fd = OpenFile(path, O_WRONLY);
  if (!fd) return std::unexpected(fd.error());
  if (write(fd->get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return FailErrno(ErrorCode::kUnavailable,
                     "the kernel refused the sandbox's user id map; run `casemate doctor` for the remedy",
                     "write " + path);
  }
  return {};
}

// Each extent: first id inside, first id outside, count.
std::vector<std::array<uid_t, 3>> Extents(uid_t base, uid_t pairs) {
  std::vector<std::array<uid_t, 3>> extents = {{0, base, 1}, {kProgramId, base + 1, 1}};
  if (pairs > 1) extents.push_back({kCellIds, base + kIdsPerSandbox, (pairs - 1) * kIdsPerSandbox});
  return extents;
}

Expected<void> RunMapTool(const std::string& tool, pid_t pid,
                          const std::vector<std::array<uid_t, 3>>& extents) {
  std::vector<std::string> words = {tool, std::to_string(pid)};
  for (const auto& extent : extents) {
    for (const uid_t number : extent) words.push_back(std::to_string(number));
  }
  auto run = RunCommand(words);
  if (!run) return std::unexpected(run.error());
  if (run->exit_code != 0) {
    return Fail(ErrorCode::kUnavailable,
                tool + " refused the id map; check this user's lines in /etc/subuid and /etc/subgid",
                run->err.substr(0, 200));
  }
  return {};
}

}  // namespace

IdRange FindSubordinateRange(std::string_view subuid, std::string_view subgid, std::string_view name,
                             uid_t uid) {
  const std::string number = std::to_string(uid);
  IdRange best;
  for (const IdRange& users : RangesOf(subuid, name, number)) {
    for (const IdRange& groups : RangesOf(subgid, name, number)) {
      const uid_t first = std::max(users.first, groups.first);
      const uid_t end = std::min(users.first + users.count, groups.first + groups.count);
      if (end > first && end - first >= kIdsPerSandbox && end - first > best.count)
        best = {first, end - first};
    }
  }
  return best;
}

// Each line: first id here, first id outside, count. The end of the largest extent is the least likely to
// be anybody's.
IdRange FindMappedRange(std::string_view uid_map) {
  IdRange best;
  uid_t largest = 2000;  // less is too little to give away
  ForEachLine(uid_map, [&](std::string_view line) {
    std::array<std::uint32_t, 3> numbers{};
    if (!ParseNumbers(line, ' ', numbers)) return;
    const IdRange extent{numbers[0], numbers[2]};
    const std::uint64_t end = std::uint64_t{extent.first} + extent.count;
    if (end > std::uint64_t{1} << 32U) return;  // nothing that a kernel says
    if (extent.first <= kUnusedRange.first && end >= std::uint64_t{kUnusedRange.first} + kUnusedRange.count) {
      best = kUnusedRange;
    } else if (best.first != kUnusedRange.first && extent.count > largest) {
      largest = extent.count;
      const uid_t count = std::min<uid_t>(extent.count / 2, 0x10000);
      best = {static_cast<uid_t>(end - count), count};
    }
  });
  return best;
}

IdSource FindIdSource() {
  IdSource source;
  if (MayChangeIds()) {
    source.range = FindMappedRange(ReadKernelFile("/proc/self/uid_map"));
    const IdRange groups = FindMappedRange(ReadKernelFile("/proc/self/gid_map"));
    const uid_t first = std::max(source.range.first, groups.first);
    const uid_t end = std::min(source.range.first + source.range.count, groups.first + groups.count);
    source.range = {first, end > first ? end - first : 0};
    if (source.range.count >= kIdsPerSandbox) {
      source.kind = IdSource::Kind::kDirect;
      return source;
    }
    source.why_not = "this user namespace has too few ids to give some away";
    source.remedy = "give the outer container a range of at least 65536 ids";
    return source;
  }
  const auto user = FindUser(getuid());
  const std::string name = user ? user->name : std::string();
  source.remedy = fmt::format("as root: usermod --add-subuids 524288-589823 --add-subgids 524288-589823 {}",
                              name.empty() ? std::to_string(getuid()) : name);
  source.range =
      FindSubordinateRange(ReadKernelFile("/etc/subuid"), ReadKernelFile("/etc/subgid"), name, getuid());
  if (source.range.count < kIdsPerSandbox) {
    source.why_not = "this user has no range in /etc/subuid and /etc/subgid";
    source.range = {};
  } else if (!FileExists("/usr/bin/newuidmap") || !FileExists("/usr/bin/newgidmap")) {
    source.why_not = "newuidmap and newgidmap are not installed";
    source.remedy = "as root: apt-get install uidmap";
    source.range = {};
  } else {
    source.kind = IdSource::Kind::kNewuidmap;
  }
  return source;
}

Expected<IdLease> LeaseIds(const IdSource& source, const std::string& lock_folder, uid_t pairs) {
  if (source.kind == IdSource::Kind::kSingle) return IdLease();
  const std::string path = lock_folder + "/ids.lock";
  auto fd = OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!fd) return std::unexpected(fd.error());
  const uid_t all = std::min(source.range.count / kIdsPerSandbox, kSlotsMax);
  const uid_t slots = all >= pairs ? all - pairs + 1 : 0;
  if (slots == 0) return Fail(ErrorCode::kInternal, "there are no user ids to lease");
  // Starting anywhere spares engines that run side by side a walk over each other's slots.
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto start = static_cast<uid_t>(static_cast<std::uint64_t>(now.tv_nsec) / 64 +
                                        static_cast<std::uint64_t>(getpid())) %
                     slots;
  for (uid_t i = 0; i < slots; i += pairs) {
    const uid_t slot = (start + i) % slots;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(slot);
    lock.l_len = static_cast<off_t>(pairs);
    if (fcntl(fd->get(), F_OFD_SETLK, &lock) == 0) {
      return IdLease(*std::move(fd), source.range.first + slot * kIdsPerSandbox);
    }
  }
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("all {} pairs of user ids are in use by other runs; wait or give this user a larger range",
                  slots));
}

Expected<void> WriteIdMaps(pid_t pid, const IdSource& source, const IdLease& lease, uid_t pairs,
                           uid_t single) {
  const auto extents = Extents(lease.base(), pairs);
  switch (source.kind) {
    case IdSource::Kind::kDirect: {
      std::string map;
      for (const auto& [inside, outside, count] : extents)
        map += fmt::format("{} {} {}\n", inside, outside, count);
      auto done = WriteMapFile(pid, "gid_map", map);
      return done ? WriteMapFile(pid, "uid_map", map) : done;
    }
    case IdSource::Kind::kNewuidmap: {
      auto done = RunMapTool("/usr/bin/newgidmap", pid, extents);
      return done ? RunMapTool("/usr/bin/newuidmap", pid, extents) : done;
    }
    case IdSource::Kind::kSingle: {
      // user_namespaces(7): without CAP_SETGID outside, setgroups must be given up first.
      auto done = WriteMapFile(pid, "setgroups", "deny");
      if (done) done = WriteMapFile(pid, "gid_map", fmt::format("{} {} 1\n", single, getgid()));
      return done ? WriteMapFile(pid, "uid_map", fmt::format("{} {} 1\n", single, getuid())) : done;
    }
  }
  return {};
}

}  // namespace casemate
