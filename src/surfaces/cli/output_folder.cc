#include "surfaces/cli/output_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/errno.h"
#include "base/file.h"
#include "model/base64.h"
#include "surfaces/cli/terminal.h"

namespace casemate {
namespace {

constexpr std::size_t kNameBytesMax = 4096;

struct MimeFile {
  std::string_view mime;
  std::string_view extension;
  bool base64;
};
constexpr std::array kMimeFiles = {
    MimeFile{"image/png", "png", true},       MimeFile{"image/jpeg", "jpg", true},
    MimeFile{"image/gif", "gif", true},       MimeFile{"image/webp", "webp", true},
    MimeFile{"application/pdf", "pdf", true}, MimeFile{"image/svg+xml", "svg", false},
    MimeFile{"text/html", "html", false},     MimeFile{"application/json", "json", false},
    MimeFile{"text/markdown", "md", false},   MimeFile{"text/latex", "tex", false},
    MimeFile{"text/csv", "csv", false},
};
// The plain form is only worth a file where there is no other.
constexpr MimeFile kPlain{"text/plain", "txt", false};

std::unexpected<Error> RefuseName(std::string_view name, std::string_view why) {
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("the file \"{}\" was not written, because {}", EscapeForTerminal(name), why));
}

// The parts of a relative path; nothing for a name that could lead out, or that no one can read.
std::optional<std::vector<std::string>> SplitName(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return std::nullopt;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
  }
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return std::nullopt;
    parts.emplace_back(part);
    if (slash == std::string_view::npos) return parts;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace

Expected<OutputFolder> OutputFolder::Open(const std::string& path, bool force) {
  if (auto made = MakeFolders(path, 0755); !made) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("--output-dir: the folder {} cannot be made: choose one that you may write to", path),
        made.error().cause);
  }
  auto folder = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (!folder || ::faccessat(folder->get(), ".", W_OK, AT_EACCESS) != 0) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("--output-dir: {} is not a folder that you may write to: choose another", path));
  }
  return OutputFolder(*std::move(folder), force);
}

Expected<void> OutputFolder::Write(std::string_view name, std::string_view bytes) {
  const auto parts = SplitName(name);
  if (!parts) return RefuseName(name, "a name must stay inside the folder and have no control characters");
  // One step at a time, and each without following a link: nothing that is swapped meanwhile leads out.
  UniqueFd at(::fcntl(folder_.get(), F_DUPFD_CLOEXEC, 0));
  for (std::size_t i = 0; i + 1 < parts->size(); ++i) {
    const char* part = (*parts)[i].c_str();
    if (::mkdirat(at.get(), part, 0755) != 0 && errno != EEXIST) {
      return RefuseName(name, fmt::format("its folder cannot be made ({})", ErrnoName(errno)));
    }
    UniqueFd next(::openat(at.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) return RefuseName(name, "a link or file is in the place of its folder");
    at = std::move(next);
  }
  const char* last = parts->back().c_str();
  constexpr int kNewFile = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd file(::openat(at.get(), last, kNewFile, 0644));
  if (!file.valid() && errno == EEXIST && force_ && ::unlinkat(at.get(), last, 0) == 0) {
    file.reset(::openat(at.get(), last, kNewFile, 0644));
  }
  if (!file.valid() && errno == EEXIST) {
    return RefuseName(name, "there is one of that name already: remove it or add --force");
  }
  if (!file.valid()) return RefuseName(name, fmt::format("it cannot be opened ({})", ErrnoName(errno)));
  auto written = WriteAll(file.get(), bytes, EscapeForTerminal(name));
  if (!written) (void)::unlinkat(at.get(), last, 0);  // no half of a file
  return written;
}

namespace {

void WriteOne(OutputFolder& folder, const std::string& name, std::string_view bytes, WrittenOutput& output) {
  if (auto written = folder.Write(name, bytes); written) {
    output.names.push_back(name);
  } else {
    output.problems.push_back(written.error().ToString());
    output.failed = output.failed || written.error().code == ErrorCode::kInternal;
  }
}

// False when the display has nothing in that form.
bool WriteDisplay(OutputFolder& folder, const Display& display, std::size_t number, const MimeFile& form,
                  WrittenOutput& output) {
  const auto data = display.data.find(std::string(form.mime));
  if (data == display.data.end()) return false;
  const std::string name = fmt::format("display-{}.{}", number, form.extension);
  if (!form.base64) {
    WriteOne(folder, name, data->second, output);
    return true;
  }
  if (const auto bytes = DecodeBase64(data->second)) {
    WriteOne(folder, name, *bytes, output);
  } else {
    output.problems.push_back(
        fmt::format("{} was not written, because the program sent no valid base64", name));
  }
  return true;
}

}  // namespace

WrittenOutput WriteOutput(const ExecutionResult& result, OutputFolder& folder) {
  WrittenOutput output;
  for (const OutputFile& file : result.files) {
    if (file.truncated) {
      output.problems.push_back(
          fmt::format("the file \"{}\" was not written, because it is over the limit "
                      "files_bytes_max: raise it with --limit files_bytes_max=SIZE",
                      EscapeForTerminal(file.name)));
    } else {
      WriteOne(folder, file.name, file.bytes, output);
    }
  }
  for (std::size_t i = 0; i < result.displays.size(); ++i) {
    bool any = false;
    for (const MimeFile& form : kMimeFiles)
      any |= WriteDisplay(folder, result.displays[i], i + 1, form, output);
    if (!any) WriteDisplay(folder, result.displays[i], i + 1, kPlain, output);
  }
  return output;
}

}  // namespace casemate
