#include "surfaces/cli/redact_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/errno.h"
#include "base/file.h"
#include "casemate/redactor.h"
#include "model/json_writer.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/file_walk.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

namespace casemate {
namespace {

constexpr std::string_view kHelp =
    "Usage: casemate redact [FLAGS] [FILE|FOLDER...]\n\n"
    "Takes secrets out of text: from stdin, or of files, to stdout. Any bytes may come; those that belong to "
    "no\n"
    "secret stay as they are.\n\n"
    "  --set SETS            secrets, pii, internal, several with commas, all, or off (secrets)\n"
    "  --off RULE            leave a rule out; may be repeated\n"
    "  --rules FILE          further rules, in the form of profiles/redaction/*.toml\n"
    "  --known NAME=REF      a value to take out in all its spellings: env:VARIABLE or file:PATH; may be "
    "repeated\n"
    "  --json                print what was found as one JSON object, and no text\n"
    "  --check               print nothing but a line for each kind found, and exit with 1 when there is "
    "one\n"
    "  --list                list the built-in rules\n"
    "  --help                print this text\n";

constexpr std::size_t kValueBytesMax = 1024 * 1024;
constexpr int kExitFound = 1;

struct Options {
  RedactionRules rules;
  std::string rules_file;
  std::vector<std::pair<std::string, std::string>> known;  // name and value
  std::vector<std::string> paths;
  bool json = false;
  bool check = false;
  bool list = false;
  bool help = false;
};

std::unexpected<Error> CannotOpen(const std::string& file, const Error& error) {
  return Fail(error.code, fmt::format("{} cannot be opened; check its name, and that you may read it", file),
              error.cause);
}

Expected<void> AddKnown(const std::string& text, Options& options) {
  const std::size_t equals = text.find('=');
  const std::string ref = equals == text.npos ? "" : text.substr(equals + 1);
  if (equals == 0 || (!ref.starts_with("env:") && !ref.starts_with("file:"))) {
    return Fail(ErrorCode::kInvalidRequest, "--known: write NAME=env:VARIABLE or NAME=file:PATH");
  }
  std::string value;
  if (ref.starts_with("env:")) {
    const char* found =
        std::getenv(ref.c_str() + 4);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
    if (found == nullptr) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("--known: there is no variable {}; set it first", ref.substr(4)));
    }
    value = found;
  } else {
    auto bytes = ReadFile(ref.substr(5), kValueBytesMax);
    if (!bytes) return CannotOpen(ref.substr(5), bytes.error());
    value = *std::move(bytes);
    while (value.ends_with('\n')) value.pop_back();
  }
  options.known.emplace_back(text.substr(0, equals), std::move(value));
  return {};
}

Expected<void> SetFlag(const std::string& name, std::string value, Options& options) {
  if (name == "--set") {
    options.rules.sets = std::move(value);
  } else if (name == "--off") {
    options.rules.off.push_back(std::move(value));
  } else if (name == "--rules") {
    auto text = ReadFile(value, kValueBytesMax);
    if (!text) return CannotOpen(value, text.error());
    options.rules.own_toml = *std::move(text);
    options.rules.own_name = std::move(value);
  } else {
    return AddKnown(value, options);
  }
  return {};
}

Expected<Options> Parse(const std::vector<std::string>& words) {
  Options options;
  constexpr std::array<std::string_view, 4> kWithValue = {"--set", "--off", "--rules", "--known"};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with('-') || word == "-") {
      options.paths.push_back(word);
      continue;
    }
    if (word == "--json" || word == "--check" || word == "--list" || word == "--help" || word == "-h") {
      (word == "--json"    ? options.json
       : word == "--check" ? options.check
       : word == "--list"  ? options.list
                           : options.help) = true;
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (std::ranges::find(kWithValue, name) == kWithValue.end()) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("casemate redact has no \"{}\": \"casemate redact --help\" lists its flags", word));
    }
    if (equals == word.npos && i + 1 == words.size()) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("{} needs a value: see \"casemate redact --help\"", name));
    }
    auto set = SetFlag(name, equals == word.npos ? words[++i] : word.substr(equals + 1), options);
    if (!set) return std::unexpected(std::move(set.error()));
  }
  return options;
}

Expected<void> Write(int to, const RedactedBytes& text) {
  auto written = WriteAll(to, text.text(), "stdout");
  if (written || !written.error().cause.contains("EPIPE")) return written;
  return Fail(ErrorCode::kInternal,
              "nobody reads the clean text any more: what is behind the pipe has to read to the end",
              written.error().cause);
}

// Reads `fd` to its end through `redactor`; the clean text goes to `to`, or nowhere when that is -1.
Expected<void> Filter(Redactor& redactor, int fd, const std::string& name, int to) {
  const auto stream = redactor.Stream(name);
  std::string buffer(256 * 1024, '\0');
  RedactedBytes out;
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Fail(ErrorCode::kInternal, fmt::format("{} cannot be read; check what it is", name),
                  "read: " + ErrnoName(errno));
    }
    if (count == 0) break;
    stream->Feed({buffer.data(), static_cast<std::size_t>(count)}, out);
    if (to >= 0) {
      if (auto written = Write(to, out); !written) return written;
    }
    out.clear();
  }
  stream->Finish(out);
  return to >= 0 ? Write(to, out) : Expected<void>();
}

std::string Report(const std::vector<Redaction>& found, bool json) {
  if (!json) {
    std::string lines;
    for (const Redaction& each : found) {
      lines += fmt::format("{}: {} found {} {}, first at byte {}\n", each.where, each.rule, each.count,
                           each.count == 1 ? "time" : "times", each.offset);
    }
    return lines;
  }
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("redactions");
  writer.BeginArray();
  for (const Redaction& each : found) {
    writer.BeginObject();
    writer.Field("rule", each.rule);
    writer.Field("where", each.where);
    writer.Field("count", each.count);
    writer.Field("offset", each.offset);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

std::string List() {
  std::string lines;
  for (const RedactionRuleInfo& rule : BuiltInRedactionRules()) {
    lines += fmt::format("{:<9} {:<30} {}\n", rule.set, rule.name, rule.replacement);
  }
  return lines;
}

Expected<int> Run(const Options& options, const CliStreams& streams) {
  std::vector<KnownSecret> known;
  for (const auto& [name, value] : options.known) known.push_back({name, value});
  auto redactor = MakeRedactor(options.rules, known);
  if (!redactor) return std::unexpected(std::move(redactor.error()));
  const int to = options.json || options.check ? -1 : streams.out;
  auto files = FilesOf(options.paths);
  if (!files) return std::unexpected(std::move(files.error()));
  if (options.paths.empty()) files->emplace_back("-");
  FileProgress progress(files->size(), streams);
  for (const std::string& file : *files) {
    progress.Next();
    if (file == "-") {
      if (auto done = Filter(**redactor, streams.in, "stdin", to); !done)
        return std::unexpected(done.error());
      continue;
    }
    auto fd = OpenFile(file, O_RDONLY);
    if (!fd) return CannotOpen(file, fd.error());
    if (auto done = Filter(**redactor, fd->get(), file, to); !done) return std::unexpected(done.error());
  }
  const std::vector<Redaction> found = (*redactor)->Redactions();
  if (to < 0 && WritePatiently(streams.out, Report(found, options.json), -1) != 0) {
    return Fail(ErrorCode::kInternal, "the output cannot be written");
  }
  return options.check && !found.empty() ? kExitFound : kExitOk;
}

}  // namespace

int RedactCommandLine(const std::vector<std::string>& words, const CliStreams& streams) {
  const auto options = Parse(words);
  const auto refuse = [&streams](const Error& error) {
    WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
    return error.code == ErrorCode::kInternal ? kExitFailed : kExitRefused;
  };
  if (!options) return refuse(options.error());
  if (options->help || options->list) {
    return WritePatiently(streams.out, options->help ? std::string(kHelp) : List(), -1) == 0 ? kExitOk
                                                                                             : kExitFailed;
  }
  const auto code = Run(*options, streams);
  return code ? *code : refuse(code.error());
}

}  // namespace casemate
