#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate::audit {

// A file's bytes as they were in length when it was opened. Who shortens it meanwhile ends the reader, so it
// is for files that only grow.
class MappedFile {
 public:
  static Expected<MappedFile> Open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  std::string_view bytes() const { return {data_, size_}; }

 private:
  MappedFile(const char* data, std::size_t size) : data_(data), size_(size) {}
  const char* data_;
  std::size_t size_;
};

}  // namespace casemate::audit
