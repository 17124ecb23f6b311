// Theory of operation. One pass over the segments follows the chain as it is stated: number and hash of the
// last record. A record that does not continue it is a finding, and the pass goes on from there, so that one
// edit is one finding and not one for each record behind it. What is behind the last record, and where it
// must be, is compared with `head` at the end.
#include "audit/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/mapped_file.h"
#include "audit/store.h"
#include "base/file.h"
#include "base/sha256.h"
#include "model/json_value.h"

namespace casemate::audit {
namespace {

using Severity = AuditFinding::Severity;

// Records that one append may have in one go, beyond which a checkpoint is not late but missing.
constexpr std::int64_t kCheckpointSlack = 64;

std::string Name(std::int64_t segment) { return SegmentPath("", segment).substr(1); }

class Examination {
 public:
  Examination(std::string folder, const AuditVerifyOptions& options, std::string public_key)
      : folder_(std::move(folder)), options_(options), public_key_(std::move(public_key)) {}

  Expected<AuditVerdict> Run() {
    const std::optional<Head> before = ReadHead(folder_);
    const auto segments = ListSegments(folder_);
    if (!segments) return std::unexpected(segments.error());
    for (const std::int64_t segment : *segments) {
      if (segment_ != 0 && segment != segment_ + 1) {
        segment_ = segment;
        Find(Severity::kBroken, "missing", last_.seq + 1,
             fmt::format("the segments before {} are not there", Name(segment)));
      }
      segment_ = segment;
      const auto file = MappedFile::Open(SegmentPath(folder_, segment));
      if (!file) return std::unexpected(file.error());
      ReadSegment(file->bytes());
    }
    JudgeStart();
    JudgeEnd(before);
    verdict_.last_seq = last_.seq;
    verdict_.last_hash = last_.hash;
    verdict_.intact = std::ranges::none_of(
        verdict_.findings, [](const AuditFinding& finding) { return finding.severity == Severity::kBroken; });
    return std::move(verdict_);
  }

 private:
  // Bytes behind a segment's last record.
  struct Leftover {
    std::int64_t segment;
    std::int64_t offset;
    std::size_t size;
    std::string sha256;
  };

  void Find(Severity severity, std::string kind, std::int64_t seq, std::string message) {
    if (verdict_.findings.size() >= kFindingsMax) return;
    verdict_.findings.push_back(
        {severity, std::move(kind), segment_ > 0 ? Name(segment_) : "", offset_, seq, std::move(message)});
  }

  void ReadSegment(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      offset_ = static_cast<std::int64_t>(at);
      const std::size_t end = bytes.find('\n', at);
      if (end == std::string_view::npos) {
        KeepLeftover(bytes.substr(at));
        return;
      }
      ReadLine(bytes.substr(at, end - at));
      at = end + 1;
    }
    offset_ = static_cast<std::int64_t>(bytes.size());
  }

  void KeepLeftover(std::string_view rest) {
    DropLeftover();
    leftover_ = Leftover{segment_, offset_, rest.size(), Sha256Hex(rest)};
  }

  // What nothing explains.
  void DropLeftover() {
    if (!leftover_) return;
    const std::int64_t segment = std::exchange(segment_, leftover_->segment);
    const std::int64_t offset = std::exchange(offset_, leftover_->offset);
    Find(Severity::kBroken, "edited", last_.seq + 1, fmt::format("{} bytes are no record", leftover_->size));
    segment_ = segment;
    offset_ = offset;
    leftover_.reset();
  }

  void ReadLine(std::string_view line) {
    ++verdict_.records;
    const auto seal = ReadSeal(line);
    if (leftover_ && (!seal || !Explains(line))) DropLeftover();
    if (!seal) {
      Find(Severity::kBroken, "edited", last_.seq + 1, "this line is no record: its end was changed");
      last_ = {last_.seq + 1, ""};
      return;
    }
    if (!IsIntact(*seal)) {
      // An edit of the number itself must not move the place.
      const std::int64_t seq = verdict_.first_seq == 0 ? seal->seq : last_.seq + 1;
      Find(Severity::kBroken, "edited", seq,
           fmt::format("record {} does not have the hash that it states: it was changed", seq));
      if (verdict_.first_seq == 0) verdict_.first_seq = seq, first_prev_ = seal->prev;
      last_ = {seq, seal->seq == seq ? std::string(seal->hash) : ""};
      return;
    }
    Follow(*seal);
    Understand(line, *seal);
  }

  void Follow(const SealView& seal) {
    const std::int64_t due = last_.seq + 1;
    const bool first = verdict_.first_seq == 0;
    if (first) {
      verdict_.first_seq = seal.seq;
      first_prev_ = seal.prev;
    } else if (seal.seq < due) {
      const auto gap =
          std::ranges::find_if(gaps_, [&seal](const std::pair<std::int64_t, std::int64_t>& range) {
            return seal.seq >= range.first && seal.seq <= range.second;
          });
      const bool moved = gap != gaps_.end();
      return Find(Severity::kBroken, moved ? "reordered" : "inserted", seal.seq,
                  fmt::format("record {} {} record {}", seal.seq,
                              moved ? "stands behind" : "is there twice, once more behind", last_.seq));
    } else if (seal.seq > due) {
      Find(Severity::kBroken, "missing", due,
           fmt::format("records {} to {} are not there", due, seal.seq - 1));
      gaps_.emplace_back(due, seal.seq - 1);
    } else if (!last_.hash.empty() && seal.prev != last_.hash) {
      Find(Severity::kBroken, "edited", last_.seq,
           fmt::format("record {} is not the one that record {} was written behind: one of them was replaced",
                       last_.seq, seal.seq));
    }
    last_ = {seal.seq, std::string(seal.hash)};
    if (options_.expected && options_.expected->first == seal.seq && options_.expected->second != seal.hash) {
      Find(Severity::kBroken, "edited", seal.seq,
           fmt::format("record {} does not have the hash that was noted elsewhere", seal.seq));
    }
  }

  void Understand(std::string_view line, const SealView& seal) {
    if (IsCheckpoint(line)) return TakeCheckpoint(line, seal);
    JudgeUnsigned(seal.seq);
    if (line.starts_with(R"({"kind":"log",)")) return TakeLog(line, seal);
    if (line.starts_with(R"({"kind":"recovery",)")) return TakeRecovery(line, seal);
    if (line.starts_with(R"({"kind":"prune",)")) TakePrune(line);
  }

  void TakeCheckpoint(std::string_view line, const SealView& seal) {
    const std::string why = JudgeCheckpoint(line, seal, public_key_);
    if (!why.empty()) {
      return Find(Severity::kBroken, "checkpoint", seal.seq,
                  fmt::format("checkpoint {} does not hold: {}", seal.seq, why));
    }
    ++verdict_.checkpoints;
    verdict_.signed_seq = seal.seq;
    told_unsigned_ = false;
  }

  void JudgeUnsigned(std::int64_t seq) {
    const std::int64_t from = std::max(verdict_.signed_seq, verdict_.first_seq - 1);
    if (told_unsigned_ || checkpoint_every_ == 0 || seq - from <= checkpoint_every_ + kCheckpointSlack)
      return;
    told_unsigned_ = true;
    Find(Severity::kBroken, "checkpoint", from + 1,
         fmt::format("no signature follows record {} though one was due by record {}", from,
                     from + checkpoint_every_));
  }

  void TakeLog(std::string_view line, const SealView& seal) {
    const auto value = ParseBoundedValue(line, {});
    if (!value || !value->is_object()) return;
    checkpoint_every_ = FindInt(value->get_object(), "checkpoint_every").value_or(0);
    if (const auto lost = FindInt(value->get_object(), "lost_through_seq")) {
      Find(Severity::kBroken, "missing", seal.seq,
           fmt::format("a log with {} records was taken away from under its writer, which began this one",
                       *lost));
    }
  }

  static std::string FoundIn(const boost::json::object& record) {
    const auto* found = FindString(record, "found");
    return found != nullptr ? std::string(std::string_view(*found)) : "";
  }

  // Whether `line` is the recovery that tells of the leftover.
  bool Explains(std::string_view line) const {
    const auto value = ParseBoundedValue(line, {});
    if (!value || !value->is_object()) return false;
    const auto& record = value->get_object();
    const auto* hash = FindString(record, "torn_sha256");
    return FoundIn(record) == "torn" && hash != nullptr && std::string_view(*hash) == leftover_->sha256 &&
           FindInt(record, "segment") == leftover_->segment;
  }

  void TakeRecovery(std::string_view line, const SealView& seal) {
    const auto value = ParseBoundedValue(line, {});
    if (!value || !value->is_object()) return;
    const auto& record = value->get_object();
    const std::string found = FoundIn(record);
    if (found == "unacknowledged") {
      return Find(
          Severity::kNote, "unacknowledged", seal.seq,
          fmt::format("{} records before this one were written by a writer that was killed before it could "
                      "acknowledge them",
                      FindInt(record, "adopted").value_or(0)));
    }
    if (found == "torn") {
      leftover_.reset();
      return Find(Severity::kNote, "torn", seal.seq,
                  fmt::format("a writer was killed in the middle of a record: {} bytes of {} are none",
                              FindInt(record, "torn_bytes").value_or(0),
                              Name(FindInt(record, "segment").value_or(0))));
    }
    Find(Severity::kBroken, "damaged", seal.seq,
         found == "head_damaged"
             ? fmt::format("the log's head was missing or damaged here: records between {} and this one may "
                           "be missing",
                           seal.seq - 1)
             : fmt::format("segment {} was not as the log's head said when this record was written",
                           Name(FindInt(record, "segment").value_or(0))));
  }

  void TakePrune(std::string_view line) {
    const auto value = ParseBoundedValue(line, {});
    if (!value || !value->is_object()) return;
    const auto* hash = FindString(value->get_object(), "through_hash");
    const auto seq = FindInt(value->get_object(), "through_seq");
    if (hash != nullptr && seq) pruned_[*seq] = std::string_view(*hash);
  }

  void JudgeStart() {
    if (verdict_.first_seq <= 1) return;
    // One that was interrupted has removed less than it says.
    const auto pruned = pruned_.lower_bound(verdict_.first_seq - 1);
    const bool told =
        pruned != pruned_.end() && (pruned->first >= verdict_.first_seq || pruned->second == first_prev_);
    const std::int64_t segment = std::exchange(segment_, 0);
    Find(told ? Severity::kNote : Severity::kBroken, told ? "pruned" : "missing", 1,
         fmt::format("records 1 to {} {}", verdict_.first_seq - 1,
                     told ? "were pruned, as a record says" : "are not there"));
    segment_ = segment;
  }

  void JudgeEnd(const std::optional<Head>& before) {
    const std::optional<Head> after = ReadHead(folder_);
    if (leftover_) {
      const bool late = after && after->segment == leftover_->segment && leftover_->offset >= after->size;
      if (late) {
        Find(Severity::kNote, "torn", last_.seq + 1,
             fmt::format("{} bytes behind the last record are none: a writer was killed, or writes now",
                         leftover_->size));
        leftover_.reset();
      }
      DropLeftover();
    }
    if (!before || !after) {
      segment_ = 0;
      return Find(
          Severity::kBroken, "head", last_.seq,
          "the file `head` is missing or changed: nothing says whether records are missing at the end");
    }
    if (before->last.seq > last_.seq) {
      Find(Severity::kBroken, "truncated", last_.seq + 1,
           fmt::format("the log ends here, but records {} to {} were written", last_.seq + 1,
                       before->last.seq));
    } else if (before->last.seq == last_.seq && !last_.hash.empty() && before->last.hash != last_.hash) {
      Find(Severity::kBroken, "edited", last_.seq,
           fmt::format("record {} is not the one that `head` names: it was replaced", last_.seq));
    } else if (after->last.seq < last_.seq) {
      Find(Severity::kNote, "unacknowledged", after->last.seq + 1,
           fmt::format(
               "records {} to {} were never acknowledged: their writer was killed, or another put them there",
               after->last.seq + 1, last_.seq));
    }
    if (options_.expected && options_.expected->first > last_.seq) {
      Find(Severity::kBroken, "truncated", last_.seq + 1,
           fmt::format("the log ends here, but record {} was noted elsewhere", options_.expected->first));
    }
    if (verdict_.signed_seq < last_.seq) {
      Find(Severity::kNote, "unsigned", verdict_.signed_seq + 1,
           fmt::format("records {} to {} carry no signature yet", verdict_.signed_seq + 1, last_.seq));
    }
  }

  const std::string folder_;
  const AuditVerifyOptions& options_;
  const std::string public_key_;
  AuditVerdict verdict_;
  Link last_;
  std::string first_prev_;
  std::int64_t segment_ = 0;
  std::int64_t offset_ = 0;
  std::int64_t checkpoint_every_ = 0;
  bool told_unsigned_ = false;
  std::optional<Leftover> leftover_;
  std::vector<std::pair<std::int64_t, std::int64_t>> gaps_;
  std::map<std::int64_t, std::string> pruned_;
};

}  // namespace

Expected<AuditVerdict> VerifyLog(const std::string& folder, const AuditVerifyOptions& options) {
  const bool own_key = options.public_key_file.empty();
  const auto key = ReadPublicKey(own_key ? PublicKeyPath(folder) : options.public_key_file);
  // Without the log's own key its checkpoints do not hold, each of them a finding.
  if (!key && !own_key) return std::unexpected(key.error());
  return Examination(folder, options, key.value_or("")).Run();
}

}  // namespace casemate::audit
