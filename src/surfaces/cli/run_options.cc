#include "surfaces/cli/run_options.h"

#include <fmt/format.h>
#include <getopt.h>

#include <algorithm>

#include "policy/nearest.h"
#include "surfaces/cli/run_flags.h"

namespace casemate {
namespace {

// getopt_long(3) values of the flags: above every letter.
constexpr int kFirstValue = 1000;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

struct FlagTable {
  std::string letters = "+:";  // stop at the first word that is no flag; tell a missing argument apart
  std::vector<std::string> names;
  std::vector<option> options;
};

FlagTable MakeTable() {
  FlagTable table;
  const auto flags = RunFlags();
  table.names.reserve(flags.size());  // the options point into it
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const bool takes = !flags[i].argument.empty();
    table.names.emplace_back(flags[i].name);
    table.options.push_back({table.names.back().c_str(), takes ? required_argument : no_argument, nullptr,
                             kFirstValue + static_cast<int>(i)});
    if (flags[i].letter == '\0') continue;
    table.letters += flags[i].letter;
    if (takes) table.letters += ':';
  }
  table.options.push_back({});
  return table;
}

const RunFlag* FlagOf(int value) {
  const auto flags = RunFlags();
  if (value >= kFirstValue) return &flags[static_cast<std::size_t>(value - kFirstValue)];
  if (value == 0) return nullptr;  // an unknown long flag
  const auto found = std::ranges::find_if(flags, [&](const RunFlag& f) { return f.letter == value; });
  return found == flags.end() ? nullptr : &*found;
}

std::unexpected<Error> UnknownFlag(std::string_view word) {
  std::string_view name = word.substr(0, word.find('='));
  if (!name.starts_with("--")) {
    return Refuse(fmt::format("there is no flag \"{}\": \"casemate run --help\" lists them", name));
  }
  std::vector<std::string_view> known;
  for (const RunFlag& flag : RunFlags()) known.push_back(flag.name);
  const std::string_view nearest = NearestName(name.substr(2), known);
  if (nearest.empty()) {
    return Refuse(fmt::format("there is no flag \"{}\": \"casemate run --help\" lists them", name));
  }
  return Refuse(fmt::format("there is no flag \"{}\": did you mean \"--{}\"?", name, nearest));
}

// A batch's programs are in its file, with all that is theirs alone.
Expected<void> CheckBatch(const std::vector<std::string>& rest, const RunOptions& options) {
  const BatchFlags& batch = options.batch;
  const auto own = [](std::string_view what) {
    return Refuse(
        fmt::format("{} cannot stand beside --batch: it belongs into the lines of the job file", what));
  };
  if (!rest.empty()) return own(fmt::format("\"{}\"", rest[0]));
  if (options.code) return own("--code");
  if (options.input) return own("--input");
  if (options.input_schema) return own("--input-schema");
  if (options.result_schema) return own("--result-schema");
  if (options.forward_stdin) return own("--stdin");
  if (options.tty) return own("--tty");
  if (!options.files.empty()) return own("--file");
  if (options.request.workspace) return own("--workspace");
  if (!options.request.mounts.empty()) return own("--volume");
  if (!options.request.collect.empty()) return own("--collect");
  if (!options.output_dir.empty()) {
    return Refuse("--output-dir cannot stand beside --batch: files and displays are in the result lines");
  }
  if (batch.output.empty() && (batch.resume || batch.retry_interrupted)) {
    return Refuse("--resume needs the file with the results so far: add --output FILE");
  }
  if (batch.retry_interrupted && !batch.resume) {
    return Refuse("--retry-interrupted is for a batch that goes on: add --resume");
  }
  if (batch.resume && options.force) {
    return Refuse("--resume keeps the results so far and --force replaces them: leave one of them out");
  }
  return {};
}

// What follows the flags: the program, unless -c gave it, and its arguments.
Expected<void> TakeProgram(std::vector<std::string> rest, bool separated, RunOptions& options) {
  if (options.help) return {};
  if (options.tty && options.json) {
    return Refuse(
        "--tty shows people what a program writes and --json tells programs: leave one of them out");
  }
  if (!options.batch.jobs_file.empty()) return CheckBatch(rest, options);
  if (!options.batch.first_flag.empty()) {
    return Refuse(fmt::format("{} is for many programs: add --batch FILE", options.batch.first_flag));
  }
  if (options.code) {
    options.request.args = std::move(rest);
    return {};
  }
  if (rest.empty() || rest[0].empty()) {
    return Fail(ErrorCode::kNotFound,
                "there is nothing to run: name a Python file, \"-\" for stdin, -c CODE, or -- COMMAND");
  }
  if (separated) {
    options.request.command = std::move(rest);
    return {};
  }
  const std::string file = rest[0];
  rest.erase(rest.begin());
  options.request.args = std::move(rest);
  if (file != "-") {
    options.code = Source{Source::Kind::kFile, file};
    const std::string name = file.substr(file.rfind('/') + 1);
    if (!name.empty()) options.request.code_name = name;
    return {};
  }
  if (!options.stdin_user.empty()) {
    return Refuse(fmt::format("{} and the program itself cannot both read stdin: give one of them as a file",
                              options.stdin_user));
  }
  options.stdin_user = "-";
  options.code = Source{Source::Kind::kStdin, {}};
  return {};
}

}  // namespace

Expected<RunOptions> ParseRunOptions(const std::vector<std::string>& words) {
  RunOptions options;
  const FlagTable table = MakeTable();
  std::vector<std::string> copies = words;
  copies.insert(copies.begin(), "casemate run");
  std::vector<char*> argv;
  for (std::string& word : copies) argv.push_back(word.data());
  const int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);

  opterr = 0;
  optind = 0;  // glibc: forget an earlier command line
  for (int before = 1;; before = optind) {
    const int value = ::getopt_long(argc, argv.data(), table.letters.c_str(), table.options.data(), nullptr);
    if (value == -1) {
      // "--" as the last flag's value does not count.
      const bool separated =
          optind > before && std::string_view(argv[static_cast<std::size_t>(optind - 1)]) == "--";
      std::vector<std::string> rest(copies.begin() + optind, copies.end());
      if (auto taken = TakeProgram(std::move(rest), separated, options); !taken) {
        return std::unexpected(taken.error());
      }
      return options;
    }
    const RunFlag* flag = FlagOf(value == '?' || value == ':' ? optopt : value);
    if (value == '?') {
      if (flag != nullptr) return Refuse(fmt::format("--{} takes no value: leave it out", flag->name));
      if (optopt != 0) return UnknownFlag(fmt::format("-{}", static_cast<char>(optopt)));
      return UnknownFlag(argv[static_cast<std::size_t>(optind - 1)]);
    }
    if (value == ':') {
      return Refuse(fmt::format("--{} needs a value: write --{} {}", flag->name, flag->name, flag->argument));
    }
    const std::string_view text = optarg != nullptr && !flag->argument.empty() ? optarg : "";
    if (auto applied = ApplyFlag(*flag, text, options); !applied) return std::unexpected(applied.error());
  }
}

bool AsksForJson(const std::vector<std::string>& words) {
  return std::find(words.begin(), std::find(words.begin(), words.end(), "--"), "--json") !=
         std::find(words.begin(), words.end(), "--");
}

std::string RunHelp() {
  std::string text =
      "Usage: casemate run [FLAGS] FILE|- [ARGS...]\n"
      "       casemate run [FLAGS] -c CODE [ARGS...]\n"
      "       casemate run [FLAGS] -- COMMAND [ARGS...]\n"
      "       casemate run [FLAGS] --batch FILE|-\n\n"
      "Runs a Python program, or a command, in a fresh sandbox that reaches nothing it was not given.\n\n"
      "Flags:\n";
  for (const RunFlag& flag : RunFlags()) {
    const std::string letter = flag.letter == '\0' ? "    " : fmt::format("-{}, ", flag.letter);
    const std::string name = fmt::format("{}--{} {}", letter, flag.name, flag.argument);
    text += name.size() <= 32 ? fmt::format("  {:<32}  {}\n", name, flag.help)
                              : fmt::format("  {}\n  {:<32}  {}\n", name, "", flag.help);
  }
  return text;
}

}  // namespace casemate
