#include "audit/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "base/errno.h"
#include "base/file.h"

namespace casemate::audit {

Expected<MappedFile> MappedFile::Open(const std::string& path) {
  const auto fd = OpenFile(path, O_RDONLY | O_NOFOLLOW);
  if (!fd) return std::unexpected(fd.error());
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return FailErrno(ErrorCode::kInternal, "cannot read " + path, "fstat");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return MappedFile("", 0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd->get(), 0);
  if (data == MAP_FAILED) return FailErrno(ErrorCode::kInternal, "cannot read " + path, "mmap");
  ::madvise(data, size, MADV_SEQUENTIAL);
  return MappedFile(static_cast<const char*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(other.data_), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (size_ > 0) ::munmap(const_cast<char*>(data_), size_);
}

}  // namespace casemate::audit
