// link: batch model base
// A batch's files with hostile bytes in them: a job file, a journal and an output to go on with. Every line
// of a job file has a result or is blank; what was read of a journal is the same when it is read again.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/file.h"
#include "batch/job_source.h"
#include "batch/journal.h"
#include "batch/json_members.h"
#include "batch/result_file.h"
#include "scratch_folder.h"

namespace {

using casemate::FormerRun;
using casemate::Journal;

void ReadJobs(std::string_view text) {
  const casemate::UniqueFd fd(::memfd_create("jobs", MFD_CLOEXEC));
  if (!casemate::WriteAll(fd.get(), text, "jobs")) std::abort();
  ::lseek(fd.get(), 0, SEEK_SET);
  const FormerRun former;
  const auto decode = [](std::string_view json) -> casemate::Expected<casemate::ExecutionRequest> {
    if (!casemate::SplitObject(json)) std::abort();
    return casemate::ExecutionRequest{};
  };
  casemate::JobSource source(fd.get(), "jobs", decode, former, -1);
  for (std::int64_t last = 0;;) {
    const auto item = source.Next();
    if (!item) std::abort();
    if (!*item) return;
    if ((*item)->number <= last || (*item)->id.empty()) std::abort();
    last = (*item)->number;
  }
}

std::int64_t ReadJournal(const std::string& path) {
  FormerRun former;
  const auto journal = Journal::Open(path, Journal::Mode::kResume, former);
  if (!journal) return -1;
  // A line's number is the journal's word: only what fits in memory is asked for.
  for (std::int64_t number = 1; number <= former.last_number() && number < 1000; ++number) {
    if (former.Held(number) && !(*journal)->ReadHeld(former, number)) std::abort();
  }
  return former.last_number();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScratchFolder folder;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadJobs(text);

  const std::string path = folder.path() + "/out";
  if (!casemate::WriteFileAtomically(path, text, 0600)) std::abort();
  const std::int64_t lines = ReadJournal(path);
  if (lines >= 0 && ReadJournal(path) != lines) std::abort();

  if (!casemate::WriteFileAtomically(path, text, 0600)) std::abort();
  FormerRun former;
  if (casemate::ReopenResultFile(path, casemate::Interrupted::kRunAgain, former)) {
    FormerRun again;
    if (!casemate::ReopenResultFile(path, casemate::Interrupted::kKeep, again)) std::abort();
  }
  return 0;
}
