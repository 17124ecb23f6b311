// link: audit model base
// A log's head and segment, as whoever can write there may make them: they are examined, and a writer goes on
// behind them. Whatever is there, its record is in the log afterwards, and nothing that was there is gone.
#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "audit/checkpoint.h"
#include "audit/record.h"
#include "audit/store.h"
#include "audit/verify.h"
#include "audit/writer.h"
#include "base/file.h"
#include "scratch_folder.h"

namespace {

namespace audit = casemate::audit;

void Put(const std::string& path, std::string_view bytes) {
  const auto fd = casemate::OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!fd || !casemate::WriteAll(fd->get(), bytes, path)) std::abort();
}

std::string LastLine(const std::string& folder) {
  const auto segments = audit::ListSegments(folder);
  if (!segments || segments->empty()) std::abort();
  const auto bytes = casemate::ReadFile(audit::SegmentPath(folder, segments->back()), 1 << 24);
  if (!bytes || !bytes->ends_with('\n')) std::abort();
  const std::size_t before = bytes->rfind('\n', bytes->size() - 2);
  return bytes->substr(before == std::string::npos ? 0 : before + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScratchFolder scratch;
  static const std::string folder = audit::LogFolder(scratch.path());
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view segment = bytes.substr(std::min<std::size_t>(data[0], bytes.size()));
  (void)audit::ParseTime(bytes);
  if (const auto seal = audit::ReadSeal(bytes)) (void)audit::JudgeCheckpoint(bytes, *seal, seal->hash);

  // The key stays: making it brings it to the disk.
  if (!casemate::MakeFolders(folder, 0700)) std::abort();
  if (const auto old = audit::ListSegments(folder)) {
    for (const std::int64_t number : *old) std::filesystem::remove(audit::SegmentPath(folder, number));
  }
  Put(audit::HeadPath(folder), bytes.substr(0, data[0]));
  Put(audit::SegmentPath(folder, 1), segment);
  if (!audit::VerifyLog(folder, {})) std::abort();
  {
    audit::Writer writer({.state_dir = scratch.path()});
    if (!writer.Append({R"({"kind":"intent","id":"run-fuzz")"})) std::abort();
  }
  if (!LastLine(folder).starts_with(R"({"kind":"intent","id":"run-fuzz")")) std::abort();
  const auto kept = casemate::ReadFile(audit::SegmentPath(folder, 1), 1 << 24);
  if (!kept || !kept->starts_with(segment)) std::abort();
  if (!audit::VerifyLog(folder, {})) std::abort();
  return 0;
}
