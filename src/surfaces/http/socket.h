#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate::http {

// Where an engine of this user listens unless told otherwise: /run/casemate/engine.sock for root,
// $XDG_RUNTIME_DIR/casemate/engine.sock for others; "" when that variable is not set.
std::string DefaultSocketPath();

// Who is at the other end of a connected unix socket; unset when the kernel does not tell.
std::optional<uid_t> PeerUid(int fd);

// A unix socket that listens at a path, which one process at a time can have. A socket that a killed process
// has left there is replaced; a live one's is not touched.
class Listener {
 public:
  // Makes missing folders with mode 0700; the socket has mode 0600. kUnavailable when another engine listens
  // there, kInvalidRequest for a path that cannot be one.
  static Expected<Listener> Open(const std::string& path);
  ~Listener() { Close(); }
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;

  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }
  // From now on nobody can connect. The path is free for another engine.
  void Close();

 private:
  Listener(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  Expected<void> Bind();

  std::string path_;
  UniqueFd lock_;
  UniqueFd socket_;
};

// A non-blocking connection to the engine that listens at `path`. Only one of this user or of root is
// trusted. kNotFound when nobody listens there, otherwise kUnavailable.
Expected<UniqueFd> Connect(const std::string& path);

}  // namespace casemate::http
