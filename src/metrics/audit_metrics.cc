#include "metrics/audit_metrics.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "audit/retention_state.h"
#include "audit/sink_state.h"
#include "audit/store.h"

namespace casemate {
namespace {

using audit::SinkState;

struct Column {
  std::string_view name;
  std::string_view help;
  std::int64_t SinkState::*member;
};
constexpr std::array kColumns = {
    Column{"casemate_audit_sink_sent_records_total", "Records that a sink has taken.", &SinkState::sent},
    Column{"casemate_audit_sink_lost_records_total",
           "Records that a sink never will have: refused for good, or pruned before they were sent.",
           &SinkState::lost},
    Column{"casemate_audit_sink_shortened_records_total",
           "Records too large for a sink, sent without their middle.", &SinkState::shortened},
    Column{"casemate_audit_sink_failures_total", "Deliveries that failed, and are made again.",
           &SinkState::failures},
};

}  // namespace

void WriteAuditMetrics(const std::string& state_dir, Exposition& out) {
  const std::string folder = audit::LogFolder(state_dir);
  const auto head = audit::ReadHead(folder);
  const std::int64_t last = head ? head->last.seq : 0;
  out.Family("casemate_audit_records_total", "counter",
             "Records in the audit log, by all engines that write to it.");
  out.Sample({}, static_cast<double>(last));
  const auto retention = audit::ReadRetentionState(folder);
  const audit::RetentionState kept = retention ? *retention : audit::RetentionState();
  out.Family("casemate_audit_pruned_segments_total", "counter",
             "Parts of the log that its retention removed.");
  out.Sample({}, static_cast<double>(kept.pruned_segments));
  out.Family("casemate_audit_prune_failures_total", "counter",
             "Attempts of the log's retention that came to nothing.");
  out.Sample({}, static_cast<double>(kept.failures));
  out.Family("casemate_audit_prune_failing", "gauge", "1 while the log cannot be kept within its bounds.");
  out.Sample({}, kept.trouble.empty() && retention ? 0 : 1);
  const auto sinks = audit::ListSinks(folder);
  if (sinks.empty()) return;
  out.Family("casemate_audit_sink_lag_records", "gauge", "Records that a sink has not had yet.");
  for (const auto& [name, state] : sinks) {
    out.Sample({{"sink", name}}, static_cast<double>(std::max<std::int64_t>(last - state.seq, 0)));
  }
  for (const Column& column : kColumns) {
    out.Family(column.name, "counter", column.help);
    for (const auto& [name, state] : sinks)
      out.Sample({{"sink", name}}, static_cast<double>(state.*column.member));
  }
  out.Family("casemate_audit_sink_last_success_timestamp_seconds", "gauge",
             "When a sink last took a record.");
  for (const auto& [name, state] : sinks)
    out.Sample({{"sink", name}}, static_cast<double>(state.last_sent_us) / 1e6);
}

}  // namespace casemate
