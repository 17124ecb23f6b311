// The egress proxy of one run (egress/rules/wire.h). It ends when the engine says so, or is gone.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor_message.h"
#include "base/unique_fd.h"
#include "egress/helper/harden.h"
#include "egress/proxy/server.h"
#include "egress/rules/wire.h"

namespace casemate::egress {
namespace {

constexpr std::int64_t kFarewellMs = 500;
constexpr std::size_t kSecretFields = 3;
constexpr std::size_t kSecretPacketMax = kSecretBytesMax + 16 * std::size_t{1024};

struct Received {
  Packet kind = Packet::kFinish;
  std::string_view text;  // in the buffer
  UniqueFd fd;
};

// False when the engine is gone.
bool Receive(std::span<std::byte> buffer, Received& received) {
  int fd = -1;
  std::size_t count = 0;
  const ssize_t got = ReceiveDescriptors(kEgressControlFd, buffer, {&fd, 1}, count);
  if (count == 1) received.fd.reset(fd);
  if (got <= 0) return false;
  received.kind = static_cast<Packet>(buffer[0]);
  received.text = {reinterpret_cast<const char*>(buffer.data()) + 1, static_cast<std::size_t>(got) - 1};
  return true;
}

std::optional<BrokeredSecret> ReadSecret(std::string_view text) {
  std::array<std::string, kSecretFields> fields;
  for (std::string& field : fields) {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    field = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  auto value = SecretValue::Copy(text);
  if (!value) return std::nullopt;
  BrokeredSecret secret{fields[1], fields[0], {}, *std::move(value)};
  for (std::string_view places = fields[2];;) {
    const std::size_t comma = places.find(',');
    const std::string_view place = places.substr(0, comma);
    const std::size_t slash = place.find('/');
    auto host = ParseAuthority(place.substr(0, slash), 0);
    if (!host || slash == std::string_view::npos) return std::nullopt;
    secret.places.push_back({*std::move(host), std::string(place.substr(slash + 1))});
    if (comma == std::string_view::npos) return secret;
    places.remove_prefix(comma + 1);
  }
}

// As many as the policy's packet has said; false when one is missing.
bool ReceiveSecrets(std::size_t count, std::vector<BrokeredSecret>& secrets) {
  if (count == 0) return true;
  auto buffer = SecretValue::WithRoom(kSecretPacketMax);
  if (!buffer) return false;
  while (secrets.size() < count) {
    Received packet;
    if (!Receive({reinterpret_cast<std::byte*>(buffer->data()), buffer->capacity()}, packet) ||
        packet.kind != Packet::kSecret)
      return false;
    auto secret = ReadSecret(packet.text);
    if (!secret) return false;
    secrets.push_back(*std::move(secret));
  }
  return true;
}

void SendPacket(Packet kind, const std::string& text) {
  std::string packet(1, static_cast<char>(kind));
  packet += text;
  (void)SendDescriptors(kEgressControlFd, std::as_bytes(std::span(packet)), {});
}

std::string ReadAll(int fd) {
  struct stat info {};
  std::string text;
  if (fstat(fd, &info) != 0) return text;
  text.resize(static_cast<std::size_t>(info.st_size));
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

// The authority of a run in which TLS is looked into, and what connects to the servers behind it.
struct LookInto {
  std::unique_ptr<Authority> authority;
  TlsContext client;
};
bool Prepare(const Allowlist& allow, const std::vector<BrokeredSecret>& secrets, LookInto& look) {
  std::vector<std::string> names = allow.NamesLookedInto();
  for (const BrokeredSecret& secret : secrets) {
    for (const BrokeredSecret::Place& place : secret.places) names.push_back(place.host.host);
  }
  if (names.empty()) return true;
  auto authority = Authority::Make(names);
  look.client = MakeClientContext();
  if (!authority || !look.client) return false;
  look.authority = *std::move(authority);
  return true;
}

int Fail(std::string_view text) {
  std::fprintf(stderr, "casemate: %.*s\n", static_cast<int>(text.size()), text.data());
  return 1;
}

int Run() {
  // What the engine has open without close-on-exec, a library's perhaps, is not ours.
  close_range(kEgressControlFd + 1, ~0U, 0);
  // It was started from a descriptor, whose number would be its name.
  prctl(PR_SET_NAME, "casemate-egress", 0, 0, 0);
  std::array<std::byte, 16> buffer{};
  Received policy;
  if (!Receive(buffer, policy) || policy.kind != Packet::kPolicy || policy.text.size() != 1) return 1;
  std::vector<BrokeredSecret> secrets;
  if (!ReceiveSecrets(static_cast<unsigned char>(policy.text[0]), secrets))
    return Fail("the egress proxy cannot keep its secrets; raise ulimit -l");
  const auto network = DecodeNetwork(ReadAll(policy.fd.get()));
  policy.fd.reset();
  if (!network) return Fail(network.error().message);
  auto allow = Allowlist::Make(*network);
  if (!allow) return Fail(allow.error().message);
  LookInto look;
  if (!Prepare(*allow, secrets, look)) return Fail("the egress proxy cannot make its certificate authority");
  if (auto done = GiveUpPower(); !done) return Fail(done.error().ToString());
  SendPacket(Packet::kReady, look.authority ? look.authority->pem() : "");
  Received listener;
  if (!Receive(buffer, listener) || listener.kind != Packet::kListen || !listener.fd.valid()) return 1;
  const ProxySettings settings{*std::move(allow), network->limits, {}};
  const Broker broker(std::move(secrets));
  SystemResolver resolver;
  Journal journal([](const ToldAttempt& told) { SendPacket(Packet::kAttempt, EncodeAttempt(told)); });
  Dialer dialer(settings, resolver, journal);
  Meter meter(settings.limits);
  Server server({settings, dialer, journal, meter, broker, look.authority.get(), look.client.get()});
  server.Serve(listener.fd.get(), kEgressControlFd);
  // A socket that is closed with a packet unread in it takes back what is on its way (unix(7), ECONNRESET).
  Received finish;
  if (!Receive(buffer, finish)) _exit(0);
  server.Stop(kFarewellMs);
  journal.Flush();
  SendPacket(Packet::kFinished, {});
  // Clients that are stuck in the resolver still use what is above.
  _exit(0);
}

}  // namespace
}  // namespace casemate::egress

int main() { return casemate::egress::Run(); }
