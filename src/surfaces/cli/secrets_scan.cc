#include "surfaces/cli/secrets_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "casemate/redactor.h"
#include "model/json_writer.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/file_walk.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

namespace casemate {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{64} << 20;
constexpr std::size_t kBinaryLook = 8192;  // a zero byte there makes a file binary, as for git and grep
constexpr int kExitFound = 1;

// Where people put secrets for every program that they start, below the home folder.
constexpr std::array<std::string_view, 20> kStartUpFiles = {".bashrc",          ".bash_profile",
                                                            ".bash_login",      ".profile",
                                                            ".bash_history",    ".zshrc",
                                                            ".zshenv",          ".zprofile",
                                                            ".zsh_history",     ".config/fish/config.fish",
                                                            ".netrc",           ".npmrc",
                                                            ".pypirc",          ".env",
                                                            ".pgpass",          ".my.cnf",
                                                            ".git-credentials", ".docker/config.json",
                                                            ".aws/credentials", ".python_history"};

struct Finding {
  std::string file;
  std::int64_t line = 0;  // of the first, from 1
  std::string rule;
  std::int64_t count = 0;
};

struct Scan {
  std::vector<Finding> findings;
  std::vector<std::string> unread;  // files that could not be looked at, and why
  std::size_t files = 0;
};

struct Options {
  bool json = false;
  bool start_up = false;
  std::vector<std::string> paths;
};

Expected<Options> Parse(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "--json") {
      options.json = true;
    } else if (words[i] == "--start-up") {
      options.start_up = true;
    } else if (words[i].starts_with('-')) {
      return Fail(ErrorCode::kInvalidRequest,
                  "casemate secrets scan takes --json, --start-up, files and folders, and no other flag");
    } else if (!std::filesystem::exists(words[i])) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no {} to scan", words[i]));
    } else {
      options.paths.push_back(words[i]);
    }
  }
  if (options.paths.empty() && !options.start_up) {
    return Fail(ErrorCode::kInvalidRequest,
                "name a folder to scan, or --start-up for the shell's and other tools' files of your home");
  }
  return options;
}

std::vector<std::string> StartUpFiles() {
  std::vector<std::string> files;
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  if (home == nullptr) return files;
  for (const std::string_view name : kStartUpFiles) {
    std::string path = fmt::format("{}/{}", home, name);
    if (std::filesystem::is_regular_file(path)) files.push_back(std::move(path));
  }
  return files;
}

void ScanFile(const std::string& path, Redactor& redactor, Scan& scan) {
  const auto bytes = ReadFile(path, kFileBytesMax);
  if (!bytes) {
    scan.unread.push_back(bytes.error().message);
    return;
  }
  ++scan.files;
  const std::string_view text = *bytes;
  if (text.substr(0, kBinaryLook).find('\0') != std::string_view::npos) return;
  const std::size_t before = redactor.Redactions().size();
  (void)redactor.Text(text, path);
  const std::vector<Redaction> found = redactor.Redactions();
  for (std::size_t i = before; i < found.size(); ++i) {
    const auto lines = std::ranges::count(text.substr(0, static_cast<std::size_t>(found[i].offset)), '\n');
    scan.findings.push_back({path, lines + 1, found[i].rule, found[i].count});
  }
}

std::string Text(const Scan& scan, const Style& style) {
  std::string text;
  for (const Finding& each : scan.findings) {
    text += fmt::format("{}:{}: {}{}\n", EscapeForTerminal(each.file), each.line,
                        style.Paint(Colour::kRed, each.rule),
                        each.count > 1 ? fmt::format(" ({} times)", each.count) : "");
  }
  text +=
      fmt::format("{} in {} files", scan.findings.empty() ? "nothing found" : "secrets found", scan.files);
  if (!scan.findings.empty())
    text += "; move each into a place that only its owner reads, give it by --secret, and make a new one";
  return text + "\n";
}

std::string Json(const Scan& scan) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("files", scan.files);
  writer.Key("findings");
  writer.BeginArray();
  for (const Finding& each : scan.findings) {
    writer.BeginObject();
    writer.Field("file", each.file);
    writer.Field("line", each.line);
    writer.Field("rule", each.rule);
    writer.Field("count", each.count);
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("unread");
  writer.BeginArray();
  for (const std::string& each : scan.unread) writer.String(each);
  writer.EndArray();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

Expected<Scan> Run(const Options& options, const CliStreams& streams) {
  auto files = FilesOf(options.paths);
  if (!files) return std::unexpected(std::move(files.error()));
  if (options.start_up) std::ranges::move(StartUpFiles(), std::back_inserter(*files));
  auto redactor = MakeRedactor({}, {});
  if (!redactor) return std::unexpected(std::move(redactor.error()));
  Scan scan;
  FileProgress progress(files->size(), streams);
  for (const std::string& file : *files) {
    ScanFile(file, **redactor, scan);
    progress.Next();
  }
  return scan;
}

}  // namespace

int SecretsScan(const std::vector<std::string>& words, const CliStreams& streams) {
  const Style style = StyleOf(streams.err, true);
  const auto refuse = [&](const Error& error) {
    WritePatiently(streams.err, ErrorLine(error, style), -1);
    return kExitRefused;
  };
  const auto options = Parse(words);
  if (!options) return refuse(options.error());
  const auto scan = Run(*options, streams);
  if (!scan) return refuse(scan.error());
  for (const std::string& each : scan->unread) {
    WritePatiently(streams.err, ErrorLine({ErrorCode::kNotFound, "not scanned: " + each, ""}, style), -1);
  }
  const std::string text = options->json ? Json(*scan) : Text(*scan, StyleOf(streams.out, true));
  if (WritePatiently(streams.out, text, -1) != 0) return kExitFailed;
  return scan->findings.empty() ? kExitOk : kExitFound;
}

}  // namespace casemate
