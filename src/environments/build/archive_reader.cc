#include "environments/build/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

namespace casemate {
namespace {

constexpr std::size_t kBlockBytes = 256 << 10;

std::unexpected<Error> Damaged(archive* reader) {
  const char* why = archive_error_string(reader);
  return Fail(ErrorCode::kInvalidRequest, "the archive is damaged or cut short: fetch it again",
              why != nullptr ? why : "libarchive");
}

}  // namespace

ArchiveReader::ArchiveReader(archive* reader) : reader_(reader, archive_read_free) {}

Expected<ArchiveReader> ArchiveReader::Open(int fd, Format format) {
  ArchiveReader opened(archive_read_new());
  archive* const reader = opened.reader_.get();
  if (format == Format::kZip) {
    archive_read_support_format_zip_seekable(reader);
  } else {
    archive_read_support_format_tar(reader);
    archive_read_support_format_empty(reader);
    archive_read_support_filter_gzip(reader);
    archive_read_support_filter_zstd(reader);
    archive_read_support_filter_xz(reader);
    archive_read_support_filter_bzip2(reader);
  }
  if (archive_read_open_fd(reader, fd, kBlockBytes) != ARCHIVE_OK) return Damaged(reader);
  return opened;
}

Expected<archive_entry*> ArchiveReader::Next() {
  archive_entry* entry = nullptr;
  const int code = archive_read_next_header(reader_.get(), &entry);
  if (code == ARCHIVE_EOF) return nullptr;
  // A warning is about names that this host's locale cannot hold; they are bytes here.
  if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return Damaged(reader_.get());
  return entry;
}

Expected<void> ArchiveReader::Read(const Sink& sink) {
  for (;;) {
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int code = archive_read_data_block(reader_.get(), &block, &size, &offset);
    if (code == ARCHIVE_EOF) return {};
    if (code != ARCHIVE_OK) return Damaged(reader_.get());
    if (auto taken = sink({static_cast<const char*>(block), size}, offset); !taken) return taken;
  }
}

}  // namespace casemate
