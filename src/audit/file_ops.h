#pragma once

#include <sys/types.h>

#include <string_view>

namespace casemate::audit {

// What the log does to files that the host can fail at, as one seam: tests put faults and power cuts here.
// Each call is the system call of its name: -1 and errno on failure, and a write may be short.
class FileOps {
 public:
  virtual ~FileOps() = default;
  virtual ssize_t Write(int fd, std::string_view bytes);
  virtual ssize_t WriteAt(int fd, std::string_view bytes, off_t offset);
  virtual int Truncate(int fd, off_t size);
  virtual int SyncData(int fd);
};
FileOps& HostFiles();

}  // namespace casemate::audit
