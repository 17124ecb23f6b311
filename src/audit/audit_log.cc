#include <fmt/format.h>

#include <map>
#include <memory>
#include <utility>

#include "audit/index.h"
#include "audit/mapped_file.h"
#include "audit/record.h"
#include "audit/store.h"
#include "audit/verify.h"
#include "base/state_dir.h"
#include "casemate/audit.h"

namespace casemate {
namespace audit {
namespace {

class StoredLog : public AuditLog {
 public:
  explicit StoredLog(std::string folder) : folder_(std::move(folder)) {}

  Expected<void> List(const AuditFilter& filter, const std::function<bool(const AuditRun&)>& visit) override {
    return Query(filter, [&visit](const IndexedRun& row) { return visit(row.run); });
  }

  Expected<void> Records(const AuditFilter& filter,
                         const std::function<bool(std::string_view)>& visit) override {
    Expected<void> read;
    auto queried = Query(filter, [&](const IndexedRun& row) {
      for (const Place& place : {row.intent, row.outcome}) {
        if (place.segment == 0) continue;
        auto more = ReadAt(place, visit);
        if (!more) read = std::unexpected(std::move(more.error()));
        if (!more || !*more) return false;
      }
      return true;
    });
    return queried ? read : queried;
  }

  Expected<AuditVerdict> Verify(const AuditVerifyOptions& options) override {
    return VerifyLog(folder_, options);
  }

 private:
  Expected<void> Query(const AuditFilter& filter, const std::function<bool(const IndexedRun&)>& visit) {
    if (!index_) {
      auto index = Index::Open(folder_);
      if (!index) return std::unexpected(std::move(index.error()));
      index_ = *std::move(index);
    }
    if (auto updated = index_->Update(); !updated) return updated;
    segments_.clear();
    return index_->Query(filter, visit);
  }

  // The index is not believed: what it points to must be an intact record.
  Expected<bool> ReadAt(const Place& place, const std::function<bool(std::string_view)>& visit) {
    auto found = segments_.find(place.segment);
    if (found == segments_.end()) {
      auto file = MappedFile::Open(SegmentPath(folder_, place.segment));
      if (!file) return std::unexpected(std::move(file.error()));
      found = segments_.emplace(place.segment, *std::move(file)).first;
    }
    const std::string_view bytes = found->second.bytes();
    const auto from = static_cast<std::size_t>(place.offset);
    const std::string_view line =
        from < bytes.size() ? bytes.substr(from, static_cast<std::size_t>(place.size)) : std::string_view();
    const auto seal = ReadSeal(line);
    if (!seal || !IsIntact(*seal)) {
      return Fail(ErrorCode::kInternal,
                  fmt::format("the record at byte {} of {} was changed: run casemate audit verify",
                              place.offset, SegmentPath(folder_, place.segment)));
    }
    return visit(line);
  }

  const std::string folder_;
  std::unique_ptr<Index> index_;
  std::map<std::int64_t, MappedFile> segments_;
};

}  // namespace
}  // namespace audit

Expected<std::unique_ptr<AuditLog>> OpenAuditLog(const std::string& state_dir) {
  std::string folder = audit::LogFolder(FindStateDir(state_dir));
  if (const auto segments = audit::ListSegments(folder); !segments) return std::unexpected(segments.error());
  return std::make_unique<audit::StoredLog>(std::move(folder));
}

}  // namespace casemate
