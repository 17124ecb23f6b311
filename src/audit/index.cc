#include "audit/index.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "audit/mapped_file.h"
#include "audit/record.h"
#include "audit/store.h"
#include "model/json_value.h"

namespace casemate::audit {
namespace {

constexpr int kBusyMs = 5000;

constexpr const char* kSchema =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "CREATE TABLE IF NOT EXISTS progress (segment INTEGER NOT NULL, offset INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS runs ("
    " intent_seq INTEGER PRIMARY KEY, id TEXT NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER,"
    " status TEXT NOT NULL, caller TEXT NOT NULL, surface TEXT NOT NULL, code_sha256 TEXT NOT NULL,"
    " policy TEXT NOT NULL, denials INTEGER NOT NULL, denial_kinds TEXT NOT NULL,"
    " intent_segment INTEGER, intent_offset INTEGER, intent_size INTEGER,"
    " outcome_seq INTEGER NOT NULL, outcome_segment INTEGER, outcome_offset INTEGER, outcome_size INTEGER);"
    "CREATE INDEX IF NOT EXISTS runs_id ON runs (id);"
    "CREATE INDEX IF NOT EXISTS runs_started ON runs (started_us);"
    "CREATE INDEX IF NOT EXISTS runs_status ON runs (status);"
    "CREATE INDEX IF NOT EXISTS runs_caller ON runs (caller);"
    "CREATE INDEX IF NOT EXISTS runs_code ON runs (code_sha256);"
    "CREATE INDEX IF NOT EXISTS runs_denied ON runs (intent_seq) WHERE denials > 0;";

constexpr const char* kColumns =
    "intent_seq, id, started_us, ended_us, status, caller, surface, code_sha256, policy, denials,"
    " intent_segment, intent_offset, intent_size, outcome_seq, outcome_segment, outcome_offset, outcome_size";

std::string Text(const boost::json::object& object, std::string_view key) {
  const auto* text = FindString(object, key);
  return text != nullptr ? std::string(std::string_view(*text)) : "";
}

const boost::json::object& Object(const boost::json::object& object, std::string_view key) {
  static const boost::json::object empty;
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_object() ? value->get_object() : empty;
}

// What LIKE understands as itself, behind "ESCAPE '\'".
std::string EscapeLike(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

// A prepared statement whose values are bound in order.
class Index::Statement {
 public:
  Statement(sqlite3* db, const std::string& sql) {
    if (sqlite3_prepare_v2(db, sql.c_str(), static_cast<int>(sql.size()), &handle_, nullptr) != SQLITE_OK) {
      handle_ = nullptr;
    }
  }
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Bind(std::int64_t value) {
    sqlite3_bind_int64(handle_, ++bound_, value);
    return *this;
  }
  Statement& Bind(std::string_view value) {
    sqlite3_bind_text(handle_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& Bind(const Place& place) { return Bind(place.segment).Bind(place.offset).Bind(place.size); }

  int Step() { return handle_ != nullptr ? sqlite3_step(handle_) : SQLITE_ERROR; }
  bool Done() { return Step() == SQLITE_DONE; }
  void Reset() {
    sqlite3_reset(handle_);
    bound_ = 0;
  }
  std::int64_t Int(int column) const { return sqlite3_column_int64(handle_, column); }
  bool IsNull(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  std::string String(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return text != nullptr ? text : "";
  }

 private:
  sqlite3_stmt* handle_ = nullptr;
  int bound_ = 0;
};

// Puts records into the table.
class Index::Feeder {
 public:
  explicit Feeder(sqlite3* db)
      : intent_(
            db,
            "INSERT OR REPLACE INTO runs (intent_seq, id, started_us, status, caller, surface, code_sha256,"
            " policy, denials, denial_kinds, intent_segment, intent_offset, intent_size, outcome_seq)"
            " VALUES (?, ?, ?, 'open', ?, ?, ?, ?, 0, '', ?, ?, ?, 0)"),
        outcome_(
            db,
            "UPDATE runs SET ended_us = ?, status = ?, denials = ?, denial_kinds = ?, outcome_seq = ?,"
            " outcome_segment = ?, outcome_offset = ?, outcome_size = ? WHERE id = ? AND outcome_seq = 0") {}

  // Lines that are no run's, or that were damaged, have no place in an index.
  bool Feed(std::string_view line, const Place& place) {
    const bool is_intent = line.starts_with(R"({"kind":"intent",)");
    if (!is_intent && !line.starts_with(R"({"kind":"outcome",)")) return true;
    const auto seal = ReadSeal(line);
    const auto value = ParseBoundedValue(line, {.bytes_max = kRecordBytesMax});
    if (!seal || !value || !value->is_object()) return true;
    const auto& record = value->get_object();
    const std::int64_t at = ParseTime(Text(record, "time")).value_or(0);
    return is_intent ? FeedIntent(record, seal->seq, at, place) : FeedOutcome(record, seal->seq, at, place);
  }

 private:
  bool FeedIntent(const boost::json::object& record, std::int64_t seq, std::int64_t at, const Place& place) {
    intent_.Reset();
    return intent_.Bind(seq)
        .Bind(Text(record, "id"))
        .Bind(at)
        .Bind(Text(record, "caller"))
        .Bind(Text(record, "surface"))
        .Bind(Text(Object(record, "code"), "sha256"))
        .Bind(Text(Object(record, "policy"), "name"))
        .Bind(place)
        .Done();
  }

  bool FeedOutcome(const boost::json::object& record, std::int64_t seq, std::int64_t at, const Place& place) {
    std::int64_t denials = 0;
    std::string kinds = ",";
    if (const auto* list = record.if_contains("denials"); list != nullptr && list->is_array()) {
      for (const auto& entry : list->get_array()) {
        if (!entry.is_object()) continue;
        denials += FindInt(entry.get_object(), "count").value_or(1);
        kinds += Text(entry.get_object(), "kind") + ",";
      }
    }
    outcome_.Reset();
    return outcome_.Bind(at)
        .Bind(Text(record, "status"))
        .Bind(denials)
        .Bind(kinds)
        .Bind(seq)
        .Bind(place)
        .Bind(Text(record, "id"))
        .Done();
  }

  Statement intent_;
  Statement outcome_;
};

Index::~Index() { sqlite3_close(db_); }

std::unexpected<Error> Index::Failed(const char* what) const {
  return Fail(
      ErrorCode::kInternal,
      fmt::format("the audit log's index cannot be used: remove {}/index.db, it is made again", folder_),
      fmt::format("{}: {}", what, sqlite3_errmsg(db_)));
}

Expected<void> Index::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return Failed("sqlite3_exec");
  return {};
}

Expected<std::unique_ptr<Index>> Index::OpenAt(const std::string& path, const std::string& folder) {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  std::unique_ptr<Index> index(new Index(db, folder));
  if (opened != SQLITE_OK) return index->Failed("sqlite3_open");
  sqlite3_busy_timeout(db, kBusyMs);
  if (auto made = index->Execute(kSchema); !made) return std::unexpected(std::move(made.error()));
  return index;
}

Expected<std::unique_ptr<Index>> Index::Open(const std::string& folder) {
  if (::access(folder.c_str(), W_OK) != 0) return OpenAt(":memory:", folder);
  const std::string path = folder + "/index.db";
  auto index = OpenAt(path, folder);
  if (index) return index;
  // A database that SQLite does not understand any more.
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
  return OpenAt(path, folder);
}

Expected<void> Index::Update() {
  const auto segments = ListSegments(folder_);
  if (!segments) return std::unexpected(segments.error());
  if (auto begun = Execute("BEGIN IMMEDIATE"); !begun) return begun;
  Place at;
  {
    Statement progress(db_, "SELECT segment, offset FROM progress");
    if (progress.Step() == SQLITE_ROW) at = {progress.Int(0), progress.Int(1), 0};
  }
  // Another log than the one that was read before.
  if (at.segment > (segments->empty() ? 0 : segments->back())) {
    if (auto emptied = Execute("DELETE FROM runs"); !emptied) return emptied;
    at = {};
  }
  bool fed = true;
  if (!segments->empty()) {
    Statement pruned(db_, "DELETE FROM runs WHERE intent_segment < ?");
    fed = pruned.Bind(segments->front()).Done();
  }
  Feeder feeder(db_);
  for (const std::int64_t segment : *segments) {
    if (segment < at.segment) continue;
    if (segment > at.segment) at = {segment, 0, 0};
    const auto file = MappedFile::Open(SegmentPath(folder_, segment));
    if (!file) return std::unexpected(file.error());
    const std::string_view bytes = file->bytes();
    for (;;) {
      const auto from = static_cast<std::size_t>(at.offset);
      const std::size_t end = from < bytes.size() ? bytes.find('\n', from) : std::string_view::npos;
      if (end == std::string_view::npos) break;
      fed = fed && feeder.Feed(bytes.substr(from, end - from),
                               {segment, at.offset, static_cast<std::int64_t>(end - from)});
      at.offset = static_cast<std::int64_t>(end) + 1;
    }
  }
  if (fed) fed = Execute("DELETE FROM progress").has_value();
  Statement progress(db_, "INSERT INTO progress VALUES (?, ?)");
  if (!fed || !progress.Bind(at.segment).Bind(at.offset).Done()) {
    auto failed = Failed("sqlite3_step");
    (void)Execute("ROLLBACK");
    return failed;
  }
  return Execute("COMMIT");
}

Expected<void> Index::Query(const AuditFilter& filter, const std::function<bool(const IndexedRun&)>& visit) {
  std::string where;
  std::vector<std::string> texts;
  const auto add = [&where](std::string_view clause) {
    where += where.empty() ? " WHERE " : " AND ";
    where += clause;
  };
  const auto text = [&](std::string_view clause, std::string value) {
    if (value.empty()) return;
    texts.push_back(std::move(value));
    add(fmt::format("{} ?{}", clause, texts.size()));
  };
  text("status =", filter.status);
  text("caller =", filter.caller);
  text("surface =", filter.surface);
  text("id =", filter.id);
  if (!filter.code_sha256.empty()) {
    texts.push_back(EscapeLike(filter.code_sha256) + "%");
    add(fmt::format("code_sha256 LIKE ?{} ESCAPE '\\'", texts.size()));
  }
  if (filter.denial == "any") {
    add("denials > 0");
  } else if (!filter.denial.empty()) {
    texts.push_back("%," + EscapeLike(filter.denial) + ",%");
    add(fmt::format("denials > 0 AND denial_kinds LIKE ?{} ESCAPE '\\'", texts.size()));
  }
  if (filter.since_us) add(fmt::format("started_us >= {}", *filter.since_us));
  if (filter.until_us) add(fmt::format("started_us < {}", *filter.until_us));
  // The last so many, and yet the oldest of them first.
  std::string sql = fmt::format("SELECT {} FROM runs{} ORDER BY intent_seq", kColumns, where);
  if (filter.limit > 0) {
    sql = fmt::format("SELECT * FROM ({} DESC LIMIT {}) ORDER BY intent_seq", sql, filter.limit);
  }
  Statement statement(db_, sql);
  for (const std::string& value : texts) statement.Bind(value);
  int step = statement.Step();
  for (; step == SQLITE_ROW; step = statement.Step()) {
    IndexedRun row;
    row.run.intent_seq = statement.Int(0);
    row.run.id = statement.String(1);
    row.run.started_us = statement.Int(2);
    if (!statement.IsNull(3)) row.run.ended_us = statement.Int(3);
    row.run.status = statement.String(4);
    row.run.caller = statement.String(5);
    row.run.surface = statement.String(6);
    row.run.code_sha256 = statement.String(7);
    row.run.policy = statement.String(8);
    row.run.denials = statement.Int(9);
    row.intent = {statement.Int(10), statement.Int(11), statement.Int(12)};
    row.run.outcome_seq = statement.Int(13);
    row.outcome = {statement.Int(14), statement.Int(15), statement.Int(16)};
    if (!visit(row)) return {};
  }
  return step == SQLITE_DONE ? Expected<void>() : Failed("sqlite3_step");
}

}  // namespace casemate::audit
