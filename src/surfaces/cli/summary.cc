#include "surfaces/cli/summary.h"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <cstring>
#include <string_view>

#include "policy/units.h"

namespace casemate {
namespace {

// What to say of a status when the engine gave no words of its own; nullptr where nothing is unusual.
struct StatusText {
  Status status;
  const char* sentence;
  const char* remedy;
};
constexpr std::array kStatusTexts = {
    StatusText{Status::kOk, nullptr, nullptr},
    StatusText{Status::kError, nullptr, nullptr},  // its traceback is on stderr already
    StatusText{Status::kTimeout, "the program was still running at its deadline", "raise --timeout"},
    StatusText{Status::kCpuLimit, "the program used up its CPU time", "raise --cpu-time or --timeout"},
    StatusText{Status::kMemoryLimit, "the program used more memory than it may", "raise --memory"},
    StatusText{Status::kProcessLimit, "the program started more processes and threads than it may",
               "raise --pids-limit"},
    StatusText{Status::kDiskLimit, "the program wrote more to its disk than it may",
               "raise --tmp-size, --tmp-files or --file-size"},
    StatusText{Status::kOutputLimit, "the program printed more than it may",
               "raise --stdout-limit or --stderr-limit"},
    StatusText{Status::kResultInvalid, "the value of `result` cannot be handed back",
               "make it JSON that meets the limits and the schema"},
    StatusText{Status::kRejected, "the program was refused before it ran", "see the reason"},
    StatusText{Status::kDenied, "the program was ended for a forbidden act", "see the denials"},
    StatusText{Status::kCancelled, "the run was cancelled", "start it again"},
    StatusText{Status::kUnavailable, "this host cannot give what the run needs",
               "casemate doctor tells more"},
    StatusText{Status::kFailed, "casemate itself failed", "casemate doctor may tell why"},
};

const StatusText* TextOf(Status status) {
  for (const StatusText& row : kStatusTexts) {
    if (row.status == status) return &row;
  }
  return nullptr;
}

// "label    text", shortened to the terminal's width.
std::string Line(std::string_view label, Colour colour, const std::string& text, const Style& style) {
  const std::string padded = fmt::format("{:<9} ", label);
  const std::size_t room = style.columns > padded.size() + 10 ? style.columns - padded.size() : 10;
  return style.Paint(colour, padded) + Shorten(EscapeForTerminal(text), room) + "\n";
}

// As Line, but whole: a remedy is of no use when it is cut.
std::string WholeLine(std::string_view label, Colour colour, const std::string& text, const Style& style) {
  return style.Paint(colour, fmt::format("{:<9} ", label)) + EscapeForTerminal(text) + "\n";
}

bool IsOurs(const ProgramError& error) { return error.type.starts_with("casemate."); }

// Nothing of the program is on the screen, so the sentence stands alone.
bool DidNotRun(const ExecutionResult& result) {
  return !MayHaveRun(result.status) || result.status == Status::kFailed;
}

std::string StatusLine(const ExecutionResult& result, const Style& style) {
  const StatusText* text = TextOf(result.status);
  if (text == nullptr) return {};
  if (text->sentence == nullptr) {
    if (!result.signal) return {};
    const char* name = ::sigabbrev_np(*result.signal);
    return WholeLine(StatusName(result.status), Colour::kRed,
                     fmt::format("the program was killed by signal {} (SIG{})", *result.signal,
                                 name != nullptr ? name : "?"),
                     style);
  }
  const bool own_words = result.error && IsOurs(*result.error) && !result.error->message.empty();
  std::string line = own_words ? result.error->message : fmt::format("{}: {}", text->sentence, text->remedy);
  if (own_words && !result.error->hint.empty()) line += fmt::format(": {}", result.error->hint);
  if (DidNotRun(result)) return ErrorLine(Error{ErrorCode::kInternal, line, ""}, style);
  return WholeLine(StatusName(result.status), Colour::kRed, line, style);
}

// What to change about an exception, where we know it.
std::string HintLine(const ExecutionResult& result, const Style& style) {
  if (!result.error || IsOurs(*result.error) || result.error->hint.empty()) return {};
  return WholeLine("hint", Colour::kYellow, result.error->hint, style);
}

std::string DenialLine(const Denial& denial, const Style& style) {
  const std::string count = denial.count > 1 ? fmt::format(" ({} times)", denial.count) : "";
  const std::string remedy = denial.remedy.empty() ? "" : ": " + denial.remedy;
  return WholeLine("denied", Colour::kYellow,
                   fmt::format("{} {}{}{}", denial.kind, denial.what, count, remedy), style);
}

std::string FindingLine(const Finding& finding, const Style& style) {
  const Colour colour = finding.severity == Severity::kError ? Colour::kRed : Colour::kYellow;
  return WholeLine("found", colour,
                   fmt::format("{}:{}: {} [{}]: {}", finding.line, finding.column, finding.reason,
                               finding.rule, finding.remedy),
                   style);
}

std::string CutLines(const Truncated& cut, const Style& style) {
  std::string lines;
  const auto add = [&](bool is_cut, std::string_view what, std::string_view flag) {
    if (is_cut)
      lines +=
          WholeLine("cut", Colour::kYellow, fmt::format("{} is not complete: raise {}", what, flag), style);
  };
  add(cut.stdout_cut, "stdout", "--stdout-limit");
  add(cut.stderr_cut, "stderr", "--stderr-limit");
  add(cut.displays_cut, "the list of displays", "--limit displays_bytes_max=SIZE");
  add(cut.files_cut, "the list of files", "--limit files_bytes_max=SIZE");
  return lines;
}

std::string WeakLine(const EnforcementReport& report, const Style& style) {
  if (report.not_enforced.empty()) return {};
  std::string names;
  for (const NotEnforced& clause : report.not_enforced) {
    names += (names.empty() ? "" : ", ") + clause.guarantee;
  }
  return WholeLine(
      "weaker", Colour::kYellow,
      fmt::format("not fully enforced on this host: {} (casemate doctor tells the remedy)", names), style);
}

std::string DataLines(const ExecutionResult& result, const WrittenOutput& written, const Style& style) {
  std::string lines;
  if (result.result && result.result->text() != "null") {
    lines += Line("result", Colour::kGreen, result.result->text(), style);
  }
  for (const std::string& name : written.names) lines += Line("wrote", Colour::kGreen, name, style);
  if (!written.names.empty() || !written.problems.empty()) return lines;
  for (const Display& display : result.displays) {
    std::string forms;
    for (const auto& [mime, data] : display.data) {
      forms += fmt::format("{}{} ({})", forms.empty() ? "" : ", ", mime,
                           FormatBytes(static_cast<std::int64_t>(data.size())));
    }
    lines += Line("display", Colour::kGreen, forms, style);
  }
  for (const OutputFile& file : result.files) {
    lines +=
        Line("file", Colour::kGreen, fmt::format("{} ({})", file.name, FormatBytes(file.size_bytes)), style);
  }
  return lines;
}

}  // namespace

std::string ErrorLine(const Error& error, const Style& style) {
  return fmt::format("{} {}\n", style.Paint(Colour::kRed, "casemate:"), EscapeForTerminal(error.ToString()));
}

std::string Summary(const ExecutionResult& result, const WrittenOutput& written, bool quiet,
                    const Style& style) {
  std::string text;
  if (!quiet || DidNotRun(result)) text += StatusLine(result, style);
  for (const std::string& problem : written.problems) {
    text += WholeLine("problem", Colour::kYellow, problem, style);
  }
  if (quiet) return text;
  text += HintLine(result, style);
  for (const Finding& finding : result.findings) text += FindingLine(finding, style);
  for (const Denial& denial : result.denials) text += DenialLine(denial, style);
  if (MayHaveRun(result.status))
    text += CutLines(result.truncated, style) + WeakLine(result.isolation, style);
  return text + DataLines(result, written, style);
}

}  // namespace casemate
