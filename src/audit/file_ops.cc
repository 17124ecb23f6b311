#include "audit/file_ops.h"

#include <unistd.h>

namespace casemate::audit {

ssize_t FileOps::Write(int fd, std::string_view bytes) { return ::write(fd, bytes.data(), bytes.size()); }
ssize_t FileOps::WriteAt(int fd, std::string_view bytes, off_t offset) {
  return ::pwrite(fd, bytes.data(), bytes.size(), offset);
}
int FileOps::Truncate(int fd, off_t size) { return ::ftruncate(fd, size); }
int FileOps::SyncData(int fd) { return ::fdatasync(fd); }

FileOps& HostFiles() {
  static FileOps ops;
  return ops;
}

}  // namespace casemate::audit
