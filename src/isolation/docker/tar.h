#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate::docker {

// Writes a tar archive (POSIX.1-2001, pax) piece by piece. Owner and time of all entries are 0, so that the
// same files give the same bytes. Paths are relative, without "..".
class TarWriter {
 public:
  using Sink = std::function<Expected<void>(std::string_view piece)>;
  explicit TarWriter(Sink sink) : sink_(std::move(sink)) {}

  Expected<void> Folder(std::string_view path, mode_t mode);
  Expected<void> Symlink(std::string_view path, std::string_view target);
  Expected<void> File(std::string_view path, mode_t mode, std::string_view bytes);
  // What `host_path` has now; kNotFound when it is gone.
  Expected<void> FileFrom(std::string_view path, mode_t mode, const std::string& host_path);
  Expected<void> End();

 private:
  Expected<void> Header(char type, std::string_view path, mode_t mode, std::uint64_t size,
                        std::string_view target);
  Expected<void> Write(std::string_view bytes);
  Expected<void> Pad(std::uint64_t size);
  Expected<void> Flush();

  Sink sink_;
  std::string waiting_;
};

}  // namespace casemate::docker
