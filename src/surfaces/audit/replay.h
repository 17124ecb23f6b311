#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/audit.h"
#include "casemate/error.h"

namespace casemate {

// What is asked of `casemate replay`.
struct ReplayRequest {
  std::string id;
  std::string state_dir;
  std::map<std::string, std::string> env;  // values of the variables that the run had, which no record has
};

// One thing that two runs had, or had not, in common; "" for what a run did not have.
struct ReplayPoint {
  std::string field;  // "status", "stdout", "environment", ...
  std::string then;
  std::string now;
  bool same() const { return then == now; }
};

struct ReplayReport {
  std::string then_id;
  std::string now_id;
  std::vector<ReplayPoint> points;
  bool same() const;
};

// Runs the recorded program of `request.id` again, with the same policy, environment, data and seed, by the
// `casemate` beside this program, and compares the records of both runs. What a host folder or a network held
// then is not recorded: the program sees what is there now. Errors: kNotFound for a run that the log does not
// have; kInvalidRequest, with the reason, for one that cannot be run again as it was.
Expected<ReplayReport> Replay(const ReplayRequest& request, AuditLog& log);

// The request object of a recorded run, if it is still the program that ran; `record` is its intent.
// kInvalidRequest as above.
Expected<std::string> ReplayableRequest(std::string_view record,
                                        const std::map<std::string, std::string>& env);

// Two runs, by both records of each.
struct RunRecords {
  std::string intent_line;  // to the letter
  boost::json::object intent;
  boost::json::object outcome;
};
std::vector<ReplayPoint> Compare(const RunRecords& then, const RunRecords& now);

std::string ReplayText(const ReplayReport& report);
std::string ReplayJson(const ReplayReport& report);

}  // namespace casemate
