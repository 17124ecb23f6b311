// What the docker tier decides and reads without an engine.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <thread>

#include "isolation/docker/admission.h"
#include "isolation/docker/api.h"
#include "isolation/docker/container_config.h"
#include "isolation/docker/elf.h"
#include "isolation/docker/owner.h"
#include "isolation/docker/place.h"
#include "isolation/docker/tar.h"
#include "isolation/wire/wire_reader.h"

namespace casemate::docker {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Piece(char stream, const std::string& bytes) {
  std::string header{stream, 0, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(bytes.size() >> shift & 0xff);
  return header + bytes;
}

TEST(WireReaderTest, PutsFramesTogetherHoweverTheyWereCut) {
  const std::string frames = EncodeWire(Wire::kStdout, "hello") + EncodeWire(Wire::kExit, "256");
  const std::string bytes = Piece(1, frames.substr(0, 3)) + Piece(2, "oops") + Piece(1, frames.substr(3));
  for (std::size_t step = 1; step < bytes.size(); ++step) {
    WireReader reader;
    std::vector<WireFrame> got;
    for (std::size_t at = 0; at < bytes.size(); at += step)
      ASSERT_TRUE(reader.Feed(std::string_view(bytes).substr(at, step), got));
    ASSERT_EQ(got.size(), 2U) << step;
    EXPECT_EQ(got[0].payload, "hello");
    EXPECT_EQ(got[1].kind, Wire::kExit);
    EXPECT_EQ(reader.complaint(), "oops");
  }
}

TEST(WireReaderTest, StopsAtWhatIsNeitherLayer) {
  std::vector<WireFrame> got;
  EXPECT_FALSE(WireReader().Feed(Piece(7, "x"), got));
  // A kind that only the engine sends, and a length that none has.
  EXPECT_FALSE(WireReader().Feed(Piece(1, EncodeWire(Wire::kGo)), got));
  EXPECT_FALSE(WireReader().Feed(Piece(1, std::string("O\xff\xff\xff\xff", 5)), got));
  EXPECT_TRUE(got.empty());
}

TEST(PlaceTest, TakesDockersOwnForms) {
  EXPECT_EQ(ParsePlace("unix:///run/d.sock", "")->socket_path, "/run/d.sock");
  const auto tcp = ParsePlace("tcp://[::1]:2376", "/certs");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->host, "::1");
  EXPECT_EQ(tcp->port, "2376");
  EXPECT_EQ(tcp->certificates, "/certs");
  for (const char* bad :
       {"", "unix://", "unix://relative", "tcp://", "tcp://host", "tcp://host:", "ssh://host:1"})
    EXPECT_FALSE(ParsePlace(bad, "")) << bad;
}

TEST(ApiTest, FindsValuesInJson) {
  const std::string json = R"({"State":{"Pid":42,"OOMKilled":true,"Error":"a\"b"},"Id":"x"})";
  EXPECT_EQ(JsonAt(json, {"State", "Pid"}), "42");
  EXPECT_EQ(JsonAt(json, {"State", "OOMKilled"}), "true");
  EXPECT_EQ(JsonAt(json, {"State", "Error"}), "a\"b");
  EXPECT_EQ(JsonAt(json, {"State", "Nothing"}), "");
  EXPECT_EQ(JsonAt(json, {"Id", "Pid"}), "");
  EXPECT_EQ(JsonAt("{", {"Id"}), "");
}

// Answers one call with `pieces`, one after the other.
Expected<Reply> AskInPieces(const std::vector<std::string>& pieces) {
  std::string folder = testing::TempDir() + "casemate-docker-XXXXXX";
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  const Place place{.socket_path = folder + "/s"};
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, place.socket_path.data(), place.socket_path.size());
  EXPECT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(listener.get(), 1), 0);
  std::thread engine([&] {
    const UniqueFd peer(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 1000> asked{};
    EXPECT_GT(recv(peer.get(), asked.data(), asked.size(), 0), 0);
    for (const std::string& piece : pieces) {
      EXPECT_GT(send(peer.get(), piece.data(), piece.size(), MSG_NOSIGNAL), 0);
      usleep(20'000);  // so that they are read one by one
    }
  });
  auto reply = Api(place).Call("GET", "/info");
  engine.join();
  std::filesystem::remove_all(folder);
  return reply;
}

TEST(ApiTest, TakesAnAnswerHoweverItIsCut) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto empty = AskInPieces({head, "0\r\n", "\r", "\n"});
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->body, "");
  EXPECT_EQ(AskInPieces({head, "2\r", "\nab", "\r\n", "0\r\n\r", "\n"})->body, "ab");
}

TEST(ApiTest, AnEngineThatSaysNothingIsToldOf) {
  const auto reply = AskInPieces({});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
}

TEST(ContainerConfigTest, ClosesAllThatDockerCanClose) {
  LaunchSpec spec;
  spec.id = "run-1";
  spec.argv = {"true"};
  spec.policy.limits.memory_bytes = 64 * kMiB;
  spec.policy.limits.cpus = 100;
  spec.policy.limits.processes_max = 7;
  const auto config =
      ContainerConfig(spec, {.cpus = 2, .runtime = "runsc", .local = true}, "image", "owner", "run-1");
  ASSERT_TRUE(config);
  const auto at = [&config](std::string_view key) { return JsonAt(*config, {"HostConfig", key}); };
  EXPECT_EQ(at("Memory"), "67108864");
  EXPECT_EQ(at("MemorySwap"), at("Memory"));
  EXPECT_EQ(at("NanoCpus"), "2000000000");
  EXPECT_EQ(at("PidsLimit"), "7");
  EXPECT_EQ(at("ReadonlyRootfs"), "true");
  EXPECT_EQ(at("Privileged"), "false");
  EXPECT_EQ(at("NetworkMode"), "none");
  EXPECT_EQ(at("IpcMode"), "none");
  EXPECT_EQ(at("CapDrop"), R"(["ALL"])");
  EXPECT_EQ(at("Runtime"), "runsc");
  EXPECT_EQ(at("Mounts"), "[]");
  EXPECT_THAT(at("SecurityOpt"), HasSubstr("no-new-privileges"));
  EXPECT_THAT(at("SecurityOpt"), HasSubstr("SCMP_ACT_ERRNO"));
  EXPECT_THAT(at("LogConfig"), HasSubstr("none"));
  EXPECT_EQ(JsonAt(*config, {"User"}), "1000:1000");
  EXPECT_EQ(JsonAt(*config, {"Labels", kRunLabel}), "run-1");
  const auto words = DockerRunWords(spec, {.cpus = 2, .runtime = "", .local = true}, "image", "file.json");
  for (const char* word : {"--read-only", "seccomp=file.json", "no-new-privileges", "ALL", "67108864"})
    EXPECT_THAT(words, Contains(word));
}

TEST(ContainerConfigTest, LetsNetworkSocketsBeMadeOnlyWithAnAllowlist) {
  const std::string closed = SeccompProfile({});
  const std::string open = SeccompProfile({.allow = {{"a.example", {}, {}}}, .hosts = {}, .limits = {}});
  // socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP)
  const std::string rule = R"({"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[)"
                           R"({"index":0,"value":4294967295,"valueTwo":10,"op":"SCMP_CMP_MASKED_EQ"},)"
                           R"({"index":1,"value":4294440959,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"},)"
                           R"({"index":2,"value":4294967295,"valueTwo":6,"op":"SCMP_CMP_MASKED_EQ"}]})";
  EXPECT_THAT(closed, testing::Not(HasSubstr(rule)));
  EXPECT_THAT(open, HasSubstr(rule));
  EXPECT_EQ(JsonAt(open, {"defaultAction"}), "SCMP_ACT_ERRNO");
  LaunchSpec spec;
  spec.argv = {"true"};
  spec.policy.network.allow = {{"a.example", {}, {}}};
  const auto config = ContainerConfig(spec, {}, "image", "owner", "run");
  ASSERT_TRUE(config);
  EXPECT_EQ(JsonAt(*config, {"HostConfig", "NetworkMode"}), "none");
}

TEST(ContainerConfigTest, RefusesFoldersThatAnEngineElsewhereCannotSee) {
  LaunchSpec spec;
  spec.workspace = Workspace{"/srv", WorkspaceMode::kReadOnly};
  EXPECT_TRUE(ContainerConfig(spec, {.local = true}, "i", "o", "r"));
  const auto refused = ContainerConfig(spec, {.local = false}, "i", "o", "r");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
}

TEST(AdmissionTest, NamesWhatAnEngineDoesNotHold) {
  EngineFacts engine;
  engine.maps_users = true;
  const auto names = [](const EnforcementReport& report) {
    std::vector<std::string> all;
    for (const NotEnforced& gap : report.not_enforced) all.push_back(gap.guarantee);
    return all;
  };
  EXPECT_THAT(names(*AdmitOn(engine, {})), testing::ElementsAre("disk"));
  engine = {.local = false, .maps_users = false, .limits_memory = false, .filters_calls = false};
  EXPECT_THAT(names(*AdmitOn(engine, {})),
              testing::ElementsAre("cpu_time", "memory", "disk", "identity", "syscalls"));
  Policy strict;
  strict.require_limits = true;
  EXPECT_FALSE(AdmitOn(engine, strict));
}

TEST(OwnerTest, TellsTheLivingFromTheDead) {
  const std::string own = OwnerOfThis();
  EXPECT_FALSE(OwnerIsGone(own));
  const std::string boot = own.substr(0, own.find(' '));
  EXPECT_TRUE(OwnerIsGone(boot + " " + std::to_string(getpid()) + " 1"));
  EXPECT_FALSE(OwnerIsGone("another-boot 1 1"));
  EXPECT_FALSE(OwnerIsGone(""));
}

TEST(TarTest, KeepsLongNames) {
  std::string archive;
  TarWriter tar([&archive](std::string_view piece) -> Expected<void> {
    archive += piece;
    return {};
  });
  const std::string longest(150, 'n');
  ASSERT_TRUE(tar.Folder("d", 0755));
  ASSERT_TRUE(tar.File("d/" + longest, 0644, "content"));
  ASSERT_TRUE(tar.Symlink("link", longest));
  ASSERT_TRUE(tar.End());
  EXPECT_EQ(archive.size() % 512, 0U);
  EXPECT_THAT(archive, HasSubstr("path=d/" + longest + "\n"));
  EXPECT_THAT(archive, HasSubstr("linkpath=" + longest + "\n"));
}

TEST(ElfTest, NamesLoaderAndLibraries) {
  const auto names = NeedsOf("/proc/self/exe").libraries;
  EXPECT_THAT(names, Contains(HasSubstr("libc.so")));
  EXPECT_THAT(names, Contains(HasSubstr("ld-linux")));
  EXPECT_TRUE(NeedsOf("/etc/passwd").libraries.empty());
  EXPECT_TRUE(NeedsOfBytes("\x7f"
                           "ELF")
                  .libraries.empty());
}

TEST(ElfTest, HasTheRunPath) {
  struct {
    Elf64_Ehdr header{};
    std::array<Elf64_Phdr, 2> segments{};
    std::array<Elf64_Dyn, 4> dynamic{};
    std::array<char, 32> strings{};
  } file;
  std::memcpy(file.header.e_ident, ELFMAG, SELFMAG);
  file.header.e_ident[EI_CLASS] = ELFCLASS64;
  file.header.e_phentsize = sizeof(Elf64_Phdr);
  file.header.e_phoff = offsetof(decltype(file), segments);
  file.header.e_phnum = file.segments.size();
  file.segments[0].p_type = PT_LOAD;
  file.segments[0].p_filesz = sizeof(file);
  file.segments[1].p_type = PT_DYNAMIC;
  file.segments[1].p_offset = offsetof(decltype(file), dynamic);
  file.segments[1].p_filesz = sizeof(file.dynamic);
  file.dynamic[0] = {DT_NEEDED, {1}};
  file.dynamic[1] = {DT_RUNPATH, {8}};
  file.dynamic[2] = {DT_STRTAB, {offsetof(decltype(file), strings)}};
  std::memcpy(file.strings.data(), "\0libx.1\0$ORIGIN/lib:/opt", 25);
  const ElfNeeds needs = NeedsOfBytes({reinterpret_cast<const char*>(&file), sizeof(file)});
  EXPECT_THAT(needs.libraries, ElementsAre("libx.1"));
  EXPECT_THAT(needs.run_path, ElementsAre("$ORIGIN/lib", "/opt"));
}

}  // namespace
}  // namespace casemate::docker
