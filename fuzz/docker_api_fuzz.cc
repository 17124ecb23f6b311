// link: isolation_docker base model
// What answers at a Docker Engine's socket: every call ends, with a reply or an error.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"
#include "isolation/docker/api.h"
#include "scratch_folder.h"

namespace {

using casemate::UniqueFd;
namespace docker = casemate::docker;

void Require(bool holds) {
  if (!holds) std::abort();
}

// libFuzzer's timer interrupts what waits.
template <typename Call>
auto Patiently(const Call& call) {
  for (;;) {
    const auto done = call();
    if (done >= 0 || errno != EINTR) return done;
  }
}

// Gives the same answer to whoever comes.
class Server {
 public:
  Server() : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path(), std::begin(address.sun_path));
    Require(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    Require(::listen(listener_.get(), 1) == 0);
  }
  std::string path() const { return folder_.path() + "/socket"; }

  // While `call` calls once.
  template <typename Call>
  void Answer(std::string_view answer, const Call& call) {
    std::thread server([&] {
      const UniqueFd peer(
          Patiently([&] { return ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC); }));
      std::array<char, 4096> asked{};
      const auto receive = [&] {
        return Patiently([&] { return ::recv(peer.get(), asked.data(), asked.size(), 0); });
      };
      Require(receive() > 0);
      (void)Patiently([&] { return ::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL); });
      ::shutdown(peer.get(), SHUT_WR);
      while (receive() > 0) {
      }
    });
    call();
    server.join();
  }

 private:
  ScratchFolder folder_;
  UniqueFd listener_;
};

template <typename Value>
void Check(const casemate::Expected<Value>& value) {
  Require(value.has_value() || !value.error().message.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  if (size == 0) return 0;
  const std::string_view answer(reinterpret_cast<const char*>(data) + 1, size - 1);
  docker::Api api(docker::Place{.socket_path = server.path()});
  switch (data[0] % 4) {
    case 0:
      server.Answer(answer, [&] { Check(api.Negotiate()); });
      break;
    case 1:
      server.Answer(answer, [&] {
        const auto reply = api.Call("GET", "/info");
        Check(reply);
        if (reply) Require(!reply->message().empty());
      });
      break;
    case 2:
      server.Answer(answer, [&] {
        const auto stream = api.Hijack("/containers/x/attach");
        Check(stream);
        if (stream) Require(stream->early.size() <= answer.size());
      });
      break;
    default:
      server.Answer(answer, [&] {
        Check(api.Upload(
            "/build", [](const docker::Api::Sink& sink) { return sink("piece"); }, docker::Api::kTimeoutMs));
      });
  }
  const std::string text(answer);
  (void)docker::JsonAt(answer, {"Id", "Name"});
  if (const auto place = docker::ParsePlace(text, ""))
    Require(place->local() == place->host.empty() && !place->Text().empty());
  return 0;
}
