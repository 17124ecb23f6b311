#include "isolation/docker/place.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/errno.h"
#include "base/state_dir.h"
#include "isolation/docker/dial.h"

namespace casemate::docker {
namespace {

constexpr std::string_view kUsual = "unix:///var/run/docker.sock";

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  return value == nullptr ? "" : value;
}

std::unexpected<Error> Refused(const Place& place, int err) {
  std::string remedy = "start it (systemctl start docker), or set DOCKER_HOST to where it listens";
  if (err == EACCES || err == EPERM) {
    remedy =
        "run as root or as a member of the socket's group; whoever may use the socket is as good as root";
  }
  return FailErrno(ErrorCode::kUnavailable,
                   fmt::format("no Docker Engine answers at {}: {}", place.Text(), remedy), "connect", err);
}

Expected<UniqueFd> ConnectUnix(const Place& place) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (place.socket_path.size() >= sizeof(address.sun_path))
    return Fail(ErrorCode::kInvalidRequest, "the path of the Docker Engine's socket is too long");
  std::memcpy(address.sun_path, place.socket_path.data(), place.socket_path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno(ErrorCode::kInternal, "cannot make a socket", "socket");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    // EAGAIN: its queue of connections is full, so it does not take any.
    return Refused(place, errno);
  }
  return fd;
}

}  // namespace

std::string Place::Text() const {
  return local() ? "unix://" + socket_path : fmt::format("tcp://{}:{}", host, port);
}

Expected<Place> ParsePlace(const std::string& text, const std::string& certificates) {
  Place place;
  if (text.starts_with("unix://")) {
    place.socket_path = text.substr(7);
    if (place.socket_path.starts_with('/')) return place;
  } else if (text.starts_with("tcp://")) {
    const std::string rest = text.substr(6);
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string::npos && colon > 0 && rest.find('/') == std::string::npos) {
      place.host = rest.substr(0, colon);
      if (place.host.starts_with('[') && place.host.ends_with(']'))
        place.host = place.host.substr(1, place.host.size() - 2);
      place.port = rest.substr(colon + 1);
      place.certificates = certificates;
      if (!place.port.empty()) return place;
    }
  }
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("DOCKER_HOST is \"{}\": write unix:///PATH or tcp://HOST:PORT", text));
}

Expected<Place> FindPlace() {
  const std::string host = Variable("DOCKER_HOST");
  std::string certificates = Variable("DOCKER_CERT_PATH");
  if (certificates.empty() && !Variable("DOCKER_TLS_VERIFY").empty())
    certificates = HomeFolder() + "/.docker";
  return ParsePlace(host.empty() ? std::string(kUsual) : host, certificates);
}

Expected<UniqueFd> ConnectTo(const Place& place, std::int64_t timeout_ms) {
  return place.local() ? ConnectUnix(place) : Dial(place, timeout_ms);
}

}  // namespace casemate::docker
