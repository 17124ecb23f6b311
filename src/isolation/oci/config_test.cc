#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <filesystem>
#include <string>

#include "confine/program_plan.h"
#include "confine/seccomp_evaluate.h"
#include "confine/seccomp_filter.h"
#include "isolation/oci/bundle.h"
#include "isolation/oci/oci_backend.h"

namespace casemate::oci {
namespace {

namespace json = boost::json;
using testing::Contains;
using testing::Not;

LaunchSpec Spec() {
  LaunchSpec spec;
  spec.argv = {"sh", "-c", "true"};
  spec.environment.read_only_paths = {"/usr"};
  spec.env["GIVEN"] = "1";
  spec.control_channel = true;
  spec.policy.limits.processes_max = 17;
  spec.policy.limits.open_files_max = 99;
  spec.policy.limits.memory_bytes = 100 * kMiB;
  spec.policy.limits.file_bytes_max = 5 * kMiB;
  return spec;
}

json::value ConfigOf(RuntimeKind kind, const LaunchSpec& spec = Spec()) {
  const auto text = ExplainOci(kind, spec);
  EXPECT_TRUE(text);
  return text ? json::parse(*text) : json::value();
}

std::vector<std::string> Texts(const json::value& array) {
  std::vector<std::string> texts;
  for (const json::value& text : array.as_array()) texts.emplace_back(text.as_string());
  return texts;
}

const json::value* MountAt(const json::value& config, std::string_view destination) {
  for (const json::value& mount : config.at("mounts").as_array()) {
    if (mount.at("destination").as_string() == destination) return &mount;
  }
  return nullptr;
}

std::int64_t LimitOf(const json::value& config, std::string_view type) {
  for (const json::value& limit : config.at("process").at("rlimits").as_array()) {
    if (limit.at("type").as_string() == type) return limit.at("hard").as_int64();
  }
  return -1;
}

TEST(OciConfigTest, HasNoPowerAndNoUnlistedCall) {
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunc, RuntimeKind::kRunsc}) {
    const json::value config = ConfigOf(kind);
    const json::value& process = config.at("process");
    EXPECT_TRUE(process.at("noNewPrivileges").as_bool());
    EXPECT_EQ(process.at("user").at("uid").as_int64(), 1000);
    EXPECT_TRUE(config.at("root").at("readonly").as_bool());
    for (const auto& set : process.at("capabilities").as_object())
      EXPECT_TRUE(set.value().as_array().empty());
    EXPECT_EQ(config.at("linux").at("namespaces").as_array().size(), 6U);
    const json::value& seccomp = config.at("linux").at("seccomp");
    EXPECT_EQ(seccomp.at("defaultAction").as_string(), "SCMP_ACT_ERRNO");
    std::vector<std::string> allowed;
    for (const json::value& rule : seccomp.at("syscalls").as_array()) {
      if (rule.at("action").as_string() != "SCMP_ACT_ALLOW" || rule.as_object().contains("args")) continue;
      std::ranges::move(Texts(rule.at("names")), std::back_inserter(allowed));
    }
    EXPECT_THAT(allowed, Contains("read"));
    // Its flags are in memory: another kernel's answer decides where that kernel is gVisor's.
    EXPECT_EQ(std::ranges::count(allowed, "clone3") > 0, kind == RuntimeKind::kRunsc);
    for (const char* refused : {"mount", "bpf", "ptrace", "clone", "socket", "unshare", "io_uring_setup"}) {
      EXPECT_THAT(allowed, Not(Contains(refused)));
    }
  }
}

// At a start no runtime is given rules to translate: the container's init installs the compiled filter.
TEST(OciConfigTest, GivesTheContainersInitTheFilterAndTheRuntimeNone) {
  Host host;
  host.lock_folder = "/run/casemate";
  host.ids.kind = IdSource::Kind::kDirect;
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunc, RuntimeKind::kRunsc}) {
    const auto bundle =
        MakeBundle(Spec(), host, {kind, "/usr/bin/runtime", "", "systrap"}, host.ids, IdLease());
    ASSERT_TRUE(bundle);
    const json::value config = json::parse(WriteConfig((*bundle)->config));
    EXPECT_EQ(config.at("linux").as_object().count("seccomp"), 0U);
    EXPECT_TRUE(config.at("process").at("noNewPrivileges").as_bool()) << "or its init could install none";
    // "start", open files, processes, channels, the filter's length.
    EXPECT_EQ(Texts(config.at("process").at("args")).at(4), std::to_string((*bundle)->filter.size()));
    EXPECT_EQ(std::ranges::count((*bundle)->plan.base.argv, "--oci-seccomp"), 0);
    seccomp_data call{};
    call.arch = ContainerSeccompTables().audit_architecture;
    const auto answer = [&](int nr) {
      call.nr = nr;
      return EvaluateSeccomp((*bundle)->filter, call).value_or(SECCOMP_RET_ALLOW);
    };
    EXPECT_EQ(answer(SYS_read), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(SYS_clone3), SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(ENOSYS));
    for (const int refused : {SYS_mount, SYS_bpf, SYS_ptrace, SYS_unshare, SYS_io_uring_setup})
      EXPECT_EQ(answer(refused) & SECCOMP_RET_ACTION_FULL, static_cast<std::uint32_t>(SECCOMP_RET_ERRNO));
  }
}

// gVisor's sandbox moves its standard streams to 253 to 255, in a table that should be that long by then.
TEST(OciConfigTest, StartsGvisorWithALongTableOfDescriptors) {
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunc, RuntimeKind::kRunsc}) {
    const auto bundle =
        MakeBundle(Spec(), Host{}, {kind, "/usr/bin/runtime", "", "systrap"}, IdSource(), IdLease());
    ASSERT_TRUE(bundle);
    EXPECT_EQ((*bundle)->plan.high_descriptor > 255, kind == RuntimeKind::kRunsc);
  }
}

TEST(OciConfigTest, HasEveryLimit) {
  const json::value crun = ConfigOf(RuntimeKind::kCrun);
  EXPECT_EQ(LimitOf(crun, "RLIMIT_FSIZE"), 5 * kMiB);
  EXPECT_EQ(LimitOf(crun, "RLIMIT_CORE"), 1);
  EXPECT_GT(LimitOf(crun, "RLIMIT_CPU"), 0);
  EXPECT_EQ(LimitOf(crun, "RLIMIT_NPROC"), -1) << "the cgroup counts, and tells";
  EXPECT_EQ(LimitOf(crun, "RLIMIT_NOFILE"), kResultFd + 1) << "until its init has moved the channels";
  EXPECT_THAT(Texts(crun.at("process").at("args")), Contains("99"));
  EXPECT_EQ(crun.at("linux").as_object().count("resources"), 0U);
  const json::value gvisor = ConfigOf(RuntimeKind::kRunsc);
  EXPECT_EQ(LimitOf(gvisor, "RLIMIT_NPROC"), 17);
  const json::value& resources = gvisor.at("linux").at("resources");
  EXPECT_EQ(resources.at("memory").at("limit").as_int64(), 100 * kMiB);
  EXPECT_EQ(resources.at("pids").at("limit").as_int64(), 17);
  EXPECT_EQ(resources.at("cpu").at("quota").as_int64(), 100'000);
}

TEST(OciConfigTest, MountsWhatWasGivenAndNothingElseWritable) {
  LaunchSpec spec = Spec();
  const std::string folder = std::filesystem::canonical(testing::TempDir()).string();
  spec.workspace = Workspace{folder, WorkspaceMode::kReadOnly};
  spec.mounts = {{folder, "/data", true}};
  const json::value config = ConfigOf(RuntimeKind::kRunc, spec);
  ASSERT_NE(MountAt(config, "/workspace"), nullptr);
  EXPECT_EQ(MountAt(config, "/workspace")->at("source").as_string(), folder);
  EXPECT_THAT(Texts(MountAt(config, "/workspace")->at("options")), Contains("ro"));
  EXPECT_THAT(Texts(MountAt(config, "/data")->at("options")), Contains("rw"));
  EXPECT_THAT(Texts(MountAt(config, "/usr")->at("options")), Contains("ro"));
  EXPECT_THAT(Texts(MountAt(config, "/tmp")->at("options")), Contains("noexec"));
  for (const json::value& mount : config.at("mounts").as_array()) {
    const auto options = Texts(mount.at("options"));
    EXPECT_THAT(options, Contains("nosuid")) << mount;
    const auto destination = std::string(mount.at("destination").as_string());
    if (mount.at("type").as_string() != "bind" || std::ranges::count(options, "ro") > 0) continue;
    EXPECT_THAT(destination, testing::AnyOf("/data", "/tmp", "/dev/shm"));
  }
}

// In gVisor each mount of its own takes time to start, and is asked about again with each name in it.
TEST(OciConfigTest, MakesTheHostsOwnFoldersAPartOfGvisorsRootAndLeavesTheCallersApart) {
  LaunchSpec spec = Spec();
  const std::string folder = std::filesystem::canonical(testing::TempDir()).string();
  spec.mounts = {{folder, "/seen", false}, {folder, "/written", true}};
  Host host;
  host.lock_folder = "/run/casemate";
  host.ids.kind = IdSource::Kind::kDirect;
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunsc}) {
    const auto bundle =
        MakeBundle(spec, host, {kind, "/usr/bin/runtime", "", "systrap"}, host.ids, IdLease());
    ASSERT_TRUE(bundle);
    const json::value config = json::parse(WriteConfig((*bundle)->config));
    const bool own_kernel = kind == RuntimeKind::kRunsc;
    EXPECT_EQ(MountAt(config, "/usr") == nullptr, own_kernel);
    EXPECT_TRUE(config.at("root").at("readonly").as_bool());
    for (const char* given : {"/seen", "/written"}) EXPECT_NE(MountAt(config, given), nullptr) << given;
    EXPECT_THAT(Texts(MountAt(config, "/seen")->at("options")), Contains("ro"));
    for (const BindMount& bind : (*bundle)->plan.base.binds) {
      if (!bind.target.starts_with("rootfs/")) continue;
      EXPECT_TRUE(own_kernel);
      EXPECT_FALSE(bind.given);
      EXPECT_NE(bind.attributes & MOUNT_ATTR_RDONLY, 0U) << bind.target;
    }
  }
}

TEST(OciConfigTest, NamesTheProgramAndItsVariables) {
  const json::value config = ConfigOf(RuntimeKind::kRunsc);
  EXPECT_THAT(Texts(config.at("process").at("env")), Contains("GIVEN=1"));
  EXPECT_THAT(Texts(config.at("process").at("args")),
              testing::IsSupersetOf({"/usr/bin/sh", "sh", "-c", "true", "c"}));
}

LaunchSpec NetworkedSpec() {
  LaunchSpec spec = Spec();
  spec.policy.network.allow.emplace_back();
  spec.policy.network.limits.connections_max = 16;
  return spec;
}

bool LetsMake(const json::value& config, int family, int type) {
  for (const json::value& rule : config.at("linux").at("seccomp").at("syscalls").as_array()) {
    if (rule.at("action").as_string() != "SCMP_ACT_ALLOW" || Texts(rule.at("names")).front() != "socket")
      continue;
    const json::array& arguments = rule.at("args").as_array();
    if (arguments.size() >= 2 && arguments[0].at("valueTwo").as_int64() == family &&
        arguments[1].at("valueTwo").as_int64() == type)
      return true;
  }
  return false;
}

TEST(OciConfigTest, HasAWayOutForANetworkAndNothingOfItWithoutOne) {
  Host host;
  host.lock_folder = "/run/casemate";
  const auto has_way_out = [](const Bundle& bundle) {
    return std::ranges::any_of(bundle.plan.base.root_entries,
                               [](const RootEntry& entry) { return entry.path == "rootfs/casemate/egress"; });
  };
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunc, RuntimeKind::kRunsc}) {
    const Runtime runtime{kind, "/usr/bin/runtime", "", "systrap"};
    const auto closed = MakeBundle(Spec(), host, runtime, host.ids, IdLease());
    const auto open = MakeBundle(NetworkedSpec(), host, runtime, host.ids, IdLease());
    ASSERT_TRUE(closed && open);
    EXPECT_FALSE(has_way_out(**closed));
    EXPECT_TRUE(has_way_out(**open));
    EXPECT_EQ((*closed)->config.args.at(3), "c");
    EXPECT_TRUE((*open)->config.args.at(3).starts_with("c16,"));
    // Still no network but its own, and no more descriptors than there are.
    const json::value config = ConfigOf(kind, NetworkedSpec());
    EXPECT_EQ(config.at("linux").at("namespaces").as_array().size(), 6U);
    EXPECT_TRUE(LetsMake(config, AF_INET, SOCK_STREAM));
    EXPECT_FALSE(LetsMake(config, AF_INET, SOCK_RAW));
    EXPECT_FALSE(LetsMake(ConfigOf(kind), AF_INET, SOCK_STREAM));
    const std::vector<std::string>& words = (*open)->plan.base.argv;
    if (kind == RuntimeKind::kRunsc) {
      EXPECT_THAT(words, testing::IsSupersetOf({"--network=none", "--pass-fd=8:8", "--pass-fd=9:9"}));
      EXPECT_THAT((*closed)->plan.base.argv, Not(Contains("--pass-fd=8:8")));
    } else {
      EXPECT_THAT(words, Contains("7"));
      EXPECT_THAT((*closed)->plan.base.argv, Contains("5"));
    }
  }
}

TEST(OciConfigTest, LetsGvisorsProgramMakeNoOtherSockets) {
  Host host;
  host.lock_folder = "/run/casemate";
  const Runtime gvisor{RuntimeKind::kRunsc, "/usr/bin/runsc", "", "systrap"};
  const auto bundle = MakeBundle(NetworkedSpec(), host, gvisor, host.ids, IdLease());
  ASSERT_TRUE(bundle);
  seccomp_data call{};
  call.arch = ContainerSeccompTables().audit_architecture;
  call.nr = SYS_socket;
  const auto answer = [&](int family, int type) {
    call.args[0] = static_cast<__u64>(family);
    call.args[1] = static_cast<__u64>(type);
    return EvaluateSeccomp((*bundle)->filter, call).value_or(SECCOMP_RET_ALLOW);
  };
  EXPECT_EQ(answer(AF_INET, SOCK_STREAM), SECCOMP_RET_ALLOW);
  EXPECT_NE(answer(AF_INET, SOCK_RAW), SECCOMP_RET_ALLOW);
  EXPECT_NE(answer(AF_NETLINK, SOCK_RAW), SECCOMP_RET_ALLOW);
}

TEST(OciLimitsTest, LeaveRoomForTheWayOutWhereThereIsOne) {
  const Policy closed = Spec().policy;
  EXPECT_EQ(WithWayOut(closed.limits, closed).memory_bytes, closed.limits.memory_bytes);
  EXPECT_EQ(WithWayOut(closed.limits, closed).processes_max, closed.limits.processes_max);
  const Policy open = NetworkedSpec().policy;
  EXPECT_EQ(WithWayOut(open.limits, open).memory_bytes, open.limits.memory_bytes + 6 * kMiB);
  EXPECT_EQ(WithWayOut(open.limits, open).processes_max, open.limits.processes_max + 1);
}

TEST(OciLimitsTest, LeaveRoomForTheRuntimeAndForNothingElse) {
  const Limits limits = Spec().policy.limits;
  const Limits crun = LimitsOfRun(limits, {RuntimeKind::kCrun, "", "", ""});
  EXPECT_EQ(crun.memory_bytes, limits.memory_bytes);
  EXPECT_EQ(crun.processes_max, limits.processes_max + 1);
  EXPECT_EQ(crun.cpus, limits.cpus);
  EXPECT_EQ(LimitsOfRun(limits, {RuntimeKind::kRunsc, "", "", ""}).memory_bytes,
            limits.memory_bytes + kSentryBytes);
  EXPECT_GT(LimitsAtStart(limits).memory_bytes, limits.memory_bytes);
}

std::vector<std::pair<std::int64_t, std::int64_t>> MapOf(const json::value& config, std::string_view name) {
  std::vector<std::pair<std::int64_t, std::int64_t>> map;
  for (const json::value& entry : config.at("linux").at(name).as_array()) {
    EXPECT_EQ(entry.at("size").as_int64(), 1);
    map.emplace_back(entry.at("containerID").as_int64(), entry.at("hostID").as_int64());
  }
  return map;
}

// Around the runtime of an ordinary user is a user namespace of ours, whose ids the configuration names.
TEST(OciConfigTest, MapsTheIdsThatTheRuntimeHas) {
  struct Case {
    IdSource::Kind kind;
    std::vector<std::pair<std::int64_t, std::int64_t>> map;
    std::int64_t user;
    const char* place;
  };
  const IdLease lease(UniqueFd(), 70'000);
  Host host;
  host.lock_folder = "/run/casemate";
  for (const Case& given :
       {Case{IdSource::Kind::kDirect, {{0, 70'000}, {1000, 70'001}}, 1000, "/run/casemate"},
        Case{IdSource::Kind::kNewuidmap, {{0, 0}, {1000, 1000}}, 1000, "/tmp"},
        Case{IdSource::Kind::kSingle, {{0, 0}}, 0, "/tmp"}}) {
    IdSource ids;
    ids.kind = given.kind;
    const auto bundle = MakeBundle(Spec(), host, {RuntimeKind::kCrun, "/usr/bin/crun", "", ""}, ids, lease);
    ASSERT_TRUE(bundle);
    const RuntimePlan& plan = (*bundle)->plan;
    const json::value config = json::parse(WriteConfig((*bundle)->config));
    EXPECT_EQ(MapOf(config, "uidMappings"), given.map);
    EXPECT_EQ(MapOf(config, "gidMappings"), given.map);
    EXPECT_EQ(config.at("process").at("user").at("uid").as_int64(), given.user);
    EXPECT_EQ(plan.place, given.place);
    EXPECT_EQ(plan.owner, given.map.back().second);
    EXPECT_EQ(plan.own_user_namespace, given.kind != IdSource::Kind::kDirect);
    EXPECT_EQ(plan.base.ids.change_ids, given.kind == IdSource::Kind::kNewuidmap);
    // The program would be the owner of its /dev.
    EXPECT_EQ(std::ranges::count(Texts(MountAt(config, "/dev")->at("options")), "ro"),
              given.user == 0 ? 1 : 0);
  }
}

TEST(OciConfigTest, LimitsEachProcessWhereNoCgroupDoes) {
  Host host;
  IdSource ids;
  ids.kind = IdSource::Kind::kNewuidmap;
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunc, RuntimeKind::kRunsc}) {
    const auto bundle = MakeBundle(Spec(), host, {kind, "/x", "", "systrap"}, ids, IdLease());
    ASSERT_TRUE(bundle);
    const json::value config = json::parse(WriteConfig((*bundle)->config));
    EXPECT_EQ(LimitOf(config, "RLIMIT_DATA"), 100 * kMiB + kUntouchedBytes);
    // By the container's init, or by gVisor's kernel, which tells host threads and its processes apart.
    const bool own_kernel = kind == RuntimeKind::kRunsc;
    EXPECT_EQ(Texts(config.at("process").at("args")).at(2), own_kernel ? "0" : "17");
  }
}

}  // namespace
}  // namespace casemate::oci
