#pragma once

#include <string>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate::docker {

// Where a Docker Engine listens: DOCKER_HOST (unix:///path, tcp://host:port) or the usual socket. With
// DOCKER_TLS_VERIFY or DOCKER_CERT_PATH, TLS with ca.pem, cert.pem and key.pem of that folder (~/.docker
// without one), as Docker's own command does.
struct Place {
  std::string socket_path;  // of a unix socket; empty for TCP
  std::string host;
  std::string port;
  std::string certificates;  // the folder; empty without TLS
  bool local() const { return !socket_path.empty(); }
  std::string Text() const;  // "unix:///run/docker.sock"
};

// kInvalidRequest for a DOCKER_HOST that is none of these.
Expected<Place> FindPlace();
Expected<Place> ParsePlace(const std::string& text, const std::string& certificates);

// A connection, close-on-exec, that does not block. kUnavailable, with what to do, when nobody answers there.
Expected<UniqueFd> ConnectTo(const Place& place, std::int64_t timeout_ms);

}  // namespace casemate::docker
