#include "surfaces/audit/audit_command.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <csignal>
#include <functional>

#include "audit/export_record.h"
#include "audit/follow.h"
#include "audit/prune.h"
#include "audit/record.h"
#include "audit/sink_state.h"
#include "audit/store.h"
#include "base/state_dir.h"
#include "casemate/audit.h"
#include "policy/units.h"
#include "surfaces/audit/audit_options.h"
#include "surfaces/audit/audit_text.h"
#include "surfaces/audit/export.h"
#include "surfaces/audit/lines_out.h"
#include "surfaces/audit/replay.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/hand_over.h"
#include "surfaces/cli/summary.h"

namespace casemate {
namespace {

int Tell(const Error& error, const CliStreams& streams) {
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitRefused;
}

// One command with what it works on.
class AuditSession {
 public:
  AuditSession(const AuditOptions& options, AuditLog& log, const CliStreams& streams)
      : options_(options), log_(log), style_(StyleOf(streams.out, true)), out_(streams.out) {}

  Expected<int> Run() {
    using Command = Expected<int> (AuditSession::*)();
    struct Entry {
      std::string_view name;
      Command command;
    };
    static constexpr std::array kTable = {
        Entry{"list", &AuditSession::List},     Entry{"show", &AuditSession::Show},
        Entry{"tail", &AuditSession::Tail},     Entry{"stats", &AuditSession::Stats},
        Entry{"export", &AuditSession::Export}, Entry{"verify", &AuditSession::Verify},
        Entry{"prune", &AuditSession::Prune},   Entry{"replay", &AuditSession::ReplayRun},
        Entry{"sinks", &AuditSession::Sinks},
    };
    const auto* const entry = std::ranges::find(kTable, options_.command, &Entry::name);
    const Expected<int> code = (this->*entry->command)();
    if (!code) return code;
    out_.Flush();
    if (out_.error() == EPIPE) return kExitPipe;
    return out_.error() == 0 ? *code : kExitFailed;
  }

 private:
  // `text` ends with a newline.
  bool Say(std::string_view text) {
    text.remove_suffix(1);
    return out_.Add(text);
  }

  Expected<int> List() {
    if (!options_.json) Say(ListHead());
    return Done(log_.List(options_.filter, [this](const AuditRun& run) {
      return options_.json ? out_.Add(RunJson(run)) : Say(ListLine(run, style_));
    }));
  }

  Expected<int> Show() {
    AuditFilter filter;
    filter.id = options_.id;
    bool any = false;
    auto done = Done(log_.Records(filter, [this, &any](std::string_view record) {
      if (any && !options_.json) out_.Add("");
      any = true;
      return options_.json ? out_.Add(record) : Say(RecordText(record, style_));
    }));
    if (done && !any) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("the audit log has no run \"{}\": \"casemate audit list\" has the ids",
                              EscapeForTerminal(options_.id)));
    }
    return done;
  }

  Expected<int> Tail() {
    audit::Follower follower(Folder());
    if (auto sought = follower.SeekBack(options_.lines); !sought) return std::unexpected(sought.error());
    for (;;) {
      auto read = follower.Read([this](std::string_view record) {
        return options_.json ? out_.Add(record) : Say(TailLine(record, style_));
      });
      if (!read) return std::unexpected(read.error());
      if (!options_.follow || !out_.Flush()) return kExitOk;
      constexpr long kLookEveryNs = 200'000'000;
      const timespec nap{0, kLookEveryNs};
      ::nanosleep(&nap, nullptr);
    }
  }

  Expected<int> Stats() {
    AuditCounts counts;
    auto done = Done(log_.List(options_.filter, [&counts](const AuditRun& run) {
      counts.Add(run);
      return true;
    }));
    if (!done) return done;
    const auto retention = audit::ReadRetentionState(Folder());
    if (!retention) return std::unexpected(retention.error());
    Say(options_.json ? counts.Json(*retention) : counts.Text(style_) + RetentionText(*retention, style_));
    return done;
  }

  Expected<int> Export() {
    if (options_.format == "csv") {
      out_.Add(CsvHead());
      return Done(log_.List(options_.filter, [this](const AuditRun& run) { return out_.Add(CsvLine(run)); }));
    }
    const bool ocsf = options_.format == "ocsf";
    return Done(log_.Records(options_.filter, [this, ocsf](std::string_view record) {
      const auto line = ocsf ? ExportOcsf(record) : audit::ExportRecord(record);
      return !line || out_.Add(*line);
    }));
  }

  Expected<int> Verify() {
    const auto verdict = log_.Verify(options_.verify);
    if (!verdict) return std::unexpected(verdict.error());
    Say(options_.json ? VerdictJson(*verdict) : VerdictText(*verdict, style_));
    return verdict->intact ? kExitOk : kExitUnhealthy;
  }

  Expected<int> Prune() {
    audit::Retention retention{.bytes_max = options_.keep_bytes};
    if (options_.older_than_us) retention.since_us = audit::WallUs() - *options_.older_than_us;
    audit::Writer writer({.state_dir = FindStateDir(options_.state_dir)});
    const auto pruned = audit::Prune(Folder(), retention, writer);
    if (!pruned) return std::unexpected(pruned.error());
    out_.Add(options_.json ? fmt::format(R"({{"segments":{},"bytes":{},"through_seq":{}}})", pruned->segments,
                                         pruned->bytes, pruned->through_seq)
             : pruned->segments == 0
                 ? "nothing is old enough to go, or all of it is in the segment that is written"
                 : fmt::format("removed {} segments, {}, records up to {}", pruned->segments,
                               FormatBytes(pruned->bytes), pruned->through_seq));
    return kExitOk;
  }

  Expected<int> ReplayRun() {
    const auto report = Replay({options_.id, options_.state_dir, options_.env}, log_);
    if (!report) return std::unexpected(report.error());
    Say(options_.json ? ReplayJson(*report) : ReplayText(*report));
    return report->same() ? kExitOk : kExitUnhealthy;
  }

  Expected<int> Sinks() {
    const auto head = audit::ReadHead(Folder());
    for (const auto& [name, state] : audit::ListSinks(Folder())) {
      const std::int64_t lag = head ? std::max<std::int64_t>(head->last.seq - state.seq, 0) : 0;
      Say(options_.json ? SinkJson(name, state, lag) : SinkLine(state, lag));
    }
    return kExitOk;
  }

  static Expected<int> Done(const Expected<void>& done) {
    if (!done) return std::unexpected(done.error());
    return kExitOk;
  }
  std::string Folder() const { return audit::LogFolder(FindStateDir(options_.state_dir)); }

  const AuditOptions& options_;
  AuditLog& log_;
  const Style style_;
  LinesOut out_;
};

}  // namespace

int AuditMain(const std::vector<std::string>& words, const CliStreams& streams) {
  std::signal(SIGPIPE, SIG_IGN);
  if (!words.empty() && words[0] == "ship") return HandOver("casemate-ship", words, streams);
  const auto options = ParseAuditOptions(words, audit::WallUs());
  if (!options) return Tell(options.error(), streams);
  if (options->command == "help")
    return WritePatiently(streams.out, AuditHelp(), -1) == 0 ? kExitOk : kExitFailed;
  const auto log = OpenAuditLog(options->state_dir);
  if (!log) return Tell(log.error(), streams);
  const auto code = AuditSession(*options, **log, streams).Run();
  return code ? *code : Tell(code.error(), streams);
}

}  // namespace casemate
