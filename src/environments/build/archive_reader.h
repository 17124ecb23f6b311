#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "casemate/error.h"

struct archive;
struct archive_entry;

namespace casemate {

// One archive, read through libarchive. What it holds is hostile: to be used in a confined child. One owner.
class ArchiveReader {
 public:
  enum class Format { kZip, kTar };
  // `fd` stays the caller's, and is read from where it stands; a zip file must be able to seek.
  // kInvalidRequest when it is none.
  static Expected<ArchiveReader> Open(int fd, Format format);

  // The next entry, valid until the next call; nullptr at the end. kInvalidRequest for what is damaged.
  Expected<archive_entry*> Next();
  // Hands the entry's bytes on, block by block, each with its place in the file: what is left out between
  // them is zeros (a sparse file).
  using Sink = std::function<Expected<void>(std::string_view block, std::int64_t offset)>;
  Expected<void> Read(const Sink& sink);

 private:
  explicit ArchiveReader(archive* reader);
  std::shared_ptr<archive> reader_;
};

}  // namespace casemate
