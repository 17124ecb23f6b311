#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "casemate/audit.h"
#include "casemate/error.h"

struct sqlite3;

namespace casemate::audit {

// Where a record is.
struct Place {
  std::int64_t segment = 0;  // 0 for none
  std::int64_t offset = 0;
  std::int64_t size = 0;  // without its newline
};

struct IndexedRun {
  AuditRun run;
  Place intent;
  Place outcome;
};

// A SQLite database of where which run is in the segments of one log. It holds nothing that the segments do
// not have, and is made again when it is gone or broken. One thread.
class Index {
 public:
  // Opens or makes `folder`/index.db; in memory when the folder cannot be written, which costs a look through
  // the whole log each time.
  static Expected<std::unique_ptr<Index>> Open(const std::string& folder);
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;
  ~Index();

  // Takes in what the segments have and it does not.
  Expected<void> Update();

  // The oldest first. `visit` returns false to stop.
  Expected<void> Query(const AuditFilter& filter, const std::function<bool(const IndexedRun&)>& visit);

 private:
  class Statement;
  class Feeder;

  Index(sqlite3* db, std::string folder) : db_(db), folder_(std::move(folder)) {}
  static Expected<std::unique_ptr<Index>> OpenAt(const std::string& path, const std::string& folder);
  Expected<void> Execute(const char* sql);
  std::unexpected<Error> Failed(const char* what) const;

  sqlite3* db_;
  const std::string folder_;
};

}  // namespace casemate::audit
