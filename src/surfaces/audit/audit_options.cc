#include "surfaces/audit/audit_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "audit/record.h"
#include "casemate/status.h"
#include "policy/age.h"
#include "policy/nearest.h"
#include "policy/units.h"

namespace casemate {
namespace {

using Applied = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

Expected<std::int64_t> Number(std::string_view text, std::int64_t min) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min) {
    return Refuse(fmt::format("\"{}\" is no whole number from {} on", text, min));
  }
  return value;
}

// A time as records write it, as much of it as was given, or how long ago.
Expected<std::int64_t> TimeUs(std::string_view text, std::int64_t now_us) {
  constexpr std::string_view kMidnight = "0000-00-00T00:00:00.000000Z";
  std::string_view given = text;
  if (given.ends_with('Z')) given.remove_suffix(1);
  if (given.size() >= 10 && given.size() < kMidnight.size()) {
    std::string whole(given);
    whole += kMidnight.substr(given.size());
    if (const auto time = audit::ParseTime(whole)) return *time;
  }
  const auto ago = ParseAgeUs(text);
  if (ago) return now_us - *ago;
  return Refuse(
      fmt::format("\"{}\" is neither a time (2026-11-21T14:00:00Z, in UTC) nor how long ago (1h, 7d)", text));
}

Applied SetTime(std::optional<std::int64_t>& field, std::string_view value, std::int64_t now_us) {
  const auto time = TimeUs(value, now_us);
  if (!time) return std::unexpected(time.error());
  field = *time;
  return {};
}

Applied SetStatus(AuditOptions& options, std::string_view value, std::int64_t /*now_us*/) {
  if (value != "open" && !ParseStatus(value)) {
    return Refuse(fmt::format("there is no status \"{}\": it is ok, error, timeout, … or open", value));
  }
  options.filter.status = value;
  return {};
}

Applied SetCode(AuditOptions& options, std::string_view value, std::int64_t /*now_us*/) {
  const bool hex =
      std::ranges::all_of(value, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hex || value.empty() || value.size() > audit::kHashDigits) {
    return Refuse("a code's hash is the first digits of its SHA-256, in lower case");
  }
  options.filter.code_sha256 = value;
  return {};
}

Applied SetExpected(AuditOptions& options, std::string_view value, std::int64_t /*now_us*/) {
  const std::size_t colon = value.find(':');
  const auto seq = Number(value.substr(0, colon), 1);
  if (colon == std::string_view::npos || !seq || value.size() - colon - 1 != audit::kHashDigits) {
    return Refuse("write it as SEQ:HASH, as an earlier \"casemate audit verify\" printed it");
  }
  options.verify.expected.emplace(*seq, value.substr(colon + 1));
  return {};
}

Applied SetFormat(AuditOptions& options, std::string_view value, std::int64_t /*now_us*/) {
  if (value != "jsonl" && value != "csv" && value != "ocsf") {
    return Refuse(fmt::format("there is no format \"{}\": it is jsonl, csv or ocsf", value));
  }
  options.format = value;
  return {};
}

Applied AddEnv(AuditOptions& options, std::string_view value, std::int64_t /*now_us*/) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos || equals == 0) return Refuse("write it as NAME=VALUE");
  options.env[std::string(value.substr(0, equals))] = value.substr(equals + 1);
  return {};
}

struct AuditFlag {
  std::string_view name;      // without "--"
  std::string_view argument;  // its name in the help; "" when the flag takes none
  std::string_view commands;  // which take it, between spaces; "" for all
  Applied (*apply)(AuditOptions&, std::string_view, std::int64_t now_us);
  std::string_view help;
};

constexpr std::string_view kFilters = " list export stats ";

constexpr std::array kFlags = {
    AuditFlag{"since", "TIME", kFilters,
              [](AuditOptions& o, std::string_view v, std::int64_t now) {
                return SetTime(o.filter.since_us, v, now);
              },
              "runs that began at 2026-11-21T14:00:00Z or later, or 1h, 7d ago"},
    AuditFlag{"until", "TIME", kFilters,
              [](AuditOptions& o, std::string_view v, std::int64_t now) {
                return SetTime(o.filter.until_us, v, now);
              },
              "runs that began before"},
    AuditFlag{"status", "STATUS", kFilters, SetStatus,
              "ok, error, timeout, …; open for runs without an outcome"},
    AuditFlag{"caller", "CALLER", kFilters,
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                return o.filter.caller = v, Applied();
              },
              "who asked, for instance uid:1000"},
    AuditFlag{"surface", "NAME", kFilters,
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                return o.filter.surface = v, Applied();
              },
              "cli, http or library"},
    AuditFlag{"code", "SHA256", kFilters, SetCode, "the program, by the first digits of its hash"},
    AuditFlag{"denial", "KIND", kFilters,
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                return o.filter.denial = v, Applied();
              },
              "runs that were refused something: network, syscall, path, limit, or any"},
    AuditFlag{"limit", "N", kFilters,
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                const auto count = Number(v, 1);
                if (!count) return std::unexpected(count.error());
                return o.filter.limit = *count, Applied();
              },
              "the last so many"},
    AuditFlag{"lines", "N", " tail ",
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                const auto count = Number(v, 0);
                if (!count) return std::unexpected(count.error());
                return o.lines = *count, Applied();
              },
              "how many records to begin with (10)"},
    AuditFlag{"follow", "", " tail ",
              [](AuditOptions& o, std::string_view, std::int64_t) { return o.follow = true, Applied(); },
              "go on as records come; also -f"},
    AuditFlag{"format", "FORMAT", " export ", SetFormat, "jsonl, csv or ocsf"},
    AuditFlag{"public-key", "FILE", " verify ",
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                return o.verify.public_key_file = v, Applied();
              },
              "a copy of signing.pub that was kept elsewhere"},
    AuditFlag{"expect", "SEQ:HASH", " verify ", SetExpected, "a record that must be there, as noted earlier"},
    AuditFlag{"older-than", "AGE", " prune ",
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                const auto age = ParseAgeUs(v);
                if (!age) return std::unexpected(age.error());
                return o.older_than_us = *age, Applied();
              },
              "remove segments whose records are all older, for instance 90d"},
    AuditFlag{"keep-bytes", "SIZE", " prune ",
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                const auto bytes = ParseBytes(v);
                if (!bytes) return std::unexpected(bytes.error());
                return o.keep_bytes = *bytes, Applied();
              },
              "remove the oldest segments until no more than that is left, for instance 1g"},
    AuditFlag{"env", "NAME=VALUE", " replay ", AddEnv, "a variable that the run had; records have no values"},
    AuditFlag{"json", "", "",
              [](AuditOptions& o, std::string_view, std::int64_t) { return o.json = true, Applied(); },
              "JSON, an object a line"},
    AuditFlag{"state-dir", "DIR", "",
              [](AuditOptions& o, std::string_view v, std::int64_t) -> Applied {
                return o.state_dir = v, Applied();
              },
              "whose log ($CASEMATE_STATE_DIR or the XDG state folder)"},
};

struct AuditCommand {
  std::string_view name;
  std::string_view argument;
  std::string_view help;
};
constexpr std::array kCommands = {
    AuditCommand{"list", "", "runs: when, who, what came of them"},
    AuditCommand{"show", "ID", "the records of one run"},
    AuditCommand{"tail", "", "the last records"},
    AuditCommand{"stats", "", "counts by status, caller and denial; how long runs took"},
    AuditCommand{"export", "", "records for elsewhere, without kept programs"},
    AuditCommand{"verify", "",
                 "recompute every hash and check every signature; exit code 1 when one does not hold"},
    AuditCommand{"prune", "", "remove the oldest part, and record that"},
    AuditCommand{"sinks", "", "how far each sink is, and what it lacks"},
    AuditCommand{"ship", "",
                 "send records to syslog, journald or a collector; \"casemate audit ship --help\""},
    AuditCommand{"replay", "ID",
                 "run a kept program again, and compare; exit code 1 when it came out otherwise"},
};

bool Takes(const AuditFlag& flag, std::string_view command) {
  return flag.commands.empty() || flag.commands.find(fmt::format(" {} ", command)) != std::string_view::npos;
}

Expected<void> ApplyWord(AuditOptions& options, const std::vector<std::string>& words, std::size_t& i,
                         std::int64_t now_us) {
  std::string_view word = words[i];
  if (word == "-f") word = "--follow";
  if (word == "-n") word = "--lines";
  if (!word.starts_with("--")) {
    const bool takes_id = options.command == "show" || options.command == "replay";
    if (!takes_id || !options.id.empty()) {
      return Refuse(fmt::format("casemate audit {} takes no \"{}\"", options.command, word));
    }
    options.id = word;
    return {};
  }
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(2, equals == word.npos ? equals : equals - 2);
  const auto flag = std::ranges::find(kFlags, name, &AuditFlag::name);
  if (flag == kFlags.end() || !Takes(*flag, options.command)) {
    return Refuse(fmt::format("casemate audit {} has no \"--{}\": \"casemate audit --help\" lists its flags",
                              options.command, name));
  }
  std::string_view value;
  if (!flag->argument.empty()) {
    if (equals == word.npos && i + 1 == words.size()) {
      return Refuse(fmt::format("--{} needs a value: write --{} {}", name, name, flag->argument));
    }
    value = equals == word.npos ? std::string_view(words[++i]) : word.substr(equals + 1);
  } else if (equals != word.npos) {
    return Refuse(fmt::format("--{} takes no value", name));
  }
  auto applied = flag->apply(options, value, now_us);
  if (!applied) return Refuse(fmt::format("--{}: {}", name, applied.error().message));
  return {};
}

}  // namespace

Expected<AuditOptions> ParseAuditOptions(const std::vector<std::string>& words, std::int64_t now_us) {
  AuditOptions options;
  const bool help = words.empty() || std::ranges::any_of(words, [](const std::string& word) {
                      return word == "--help" || word == "-h" || word == "help";
                    });
  if (help && (words.empty() || words[0] != "ship")) {
    options.command = "help";
    return options;
  }
  options.command = words[0];
  if (std::ranges::find(kCommands, options.command, &AuditCommand::name) == kCommands.end()) {
    std::vector<std::string_view> names;
    for (const AuditCommand& command : kCommands) names.push_back(command.name);
    return Refuse(fmt::format("there is no \"casemate audit {}\"{}", options.command,
                              SuggestName(options.command, names)));
  }
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (auto applied = ApplyWord(options, words, i, now_us); !applied)
      return std::unexpected(applied.error());
  }
  if ((options.command == "show" || options.command == "replay") && options.id.empty()) {
    return Refuse(fmt::format("which run? \"casemate audit list\" has the ids; write casemate audit {} ID",
                              options.command));
  }
  if (options.command == "prune" && !options.older_than_us && !options.keep_bytes) {
    return Refuse("say what to remove, with --older-than 90d or --keep-bytes 1g");
  }
  return options;
}

std::string AuditHelp() {
  std::string text =
      "Usage: casemate audit COMMAND [FLAGS]\n\n"
      "What ran, who asked, what was refused: two records a run, chained and signed.\n\n";
  for (const AuditCommand& command : kCommands) {
    text += fmt::format("  {:<10}  {}\n", fmt::format("{} {}", command.name, command.argument), command.help);
  }
  text += "\nFlags:\n";
  for (const AuditFlag& flag : kFlags) {
    std::string_view takers =
        flag.commands.empty() ? "all" : flag.commands.substr(1, flag.commands.size() - 2);
    text += fmt::format("  {:<20} {:<17}  {}\n", fmt::format("--{} {}", flag.name, flag.argument), takers,
                        flag.help);
  }
  return text;
}

}  // namespace casemate
