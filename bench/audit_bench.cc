// What the audit log costs: audit_bench FOLDER [RECORDS]. Makes a log of its own below FOLDER, on whose disk
// the figures are true, and removes it. Prints one line a figure, with what is promised; exit code 1 when one
// is not kept.
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "audit/run_records.h"
#include "audit/store.h"
#include "audit/verify.h"
#include "audit/writer.h"
#include "base/clock.h"
#include "measure/latency.h"

namespace casemate::audit {
namespace {

constexpr double kRunUsPromised = 60;
constexpr double kRatePromised = 20'000;
constexpr double kVerifySecondsPromised = 5;
constexpr std::int64_t kVerifyRecords = 1'000'000;

// A run as the container tier records it.
struct Sample {
  Sample() {
    request.code = "print(1)";
    request.input_json = R"({"n": 3})";
    for (const PolicyClause clause : kAllPolicyClauses) {
      result.isolation.enforced.push_back(
          {std::string(PolicyClauseName(clause)), "user namespace with host ids leased to this run alone"});
    }
    result.status = Status::kOk;
    result.exit_code = 0;
  }
  std::vector<std::string> Bodies(std::int64_t number) {
    result.id = fmt::format("run-{:016x}", number);
    RunIntent intent{
        .id = result.id, .request = &request, .caller = "uid:1000", .code = DigestOf(*request.code)};
    intent.policy_sha256 = intent.code.sha256;
    intent.environment_sha256 = intent.code.sha256;
    intent.isolation = &result.isolation;
    return {EncodeIntent(intent), EncodeOutcome({&result, DigestOf("1\n"), DigestOf("")})};
  }
  ExecutionRequest request;
  ExecutionResult result;
};

bool Say(const std::string& what, double figure, const char* unit, double promised, bool at_least) {
  const bool kept = promised == 0 || (at_least ? figure >= promised : figure <= promised);
  const std::string promise = promised == 0
                                  ? ""
                                  : fmt::format("  {} {:g} promised: {}", at_least ? "at least" : "at most",
                                                promised, kept ? "PASS" : "FAIL");
  fmt::print("{:<58} {:>12.1f} {}{}\n", what, figure, unit, promise);
  return kept;
}

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Check(const Expected<void>& done) {
  if (done) return;
  fmt::print(stderr, "audit_bench: {}\n", done.error().ToString());
  std::exit(125);
}

// Both records of a run, encoded and acknowledged. `cold`: by a process that has not written before.
Latencies TimeRuns(const std::string& folder, int runs, bool cold, SyncPolicy sync) {
  Sample sample;
  Latencies times;
  std::unique_ptr<Writer> writer;
  for (int i = 0; i < runs; ++i) {
    const std::int64_t begin = MonotonicUs();
    if (!writer || cold) writer = std::make_unique<Writer>(WriterOptions{.state_dir = folder, .sync = sync});
    for (std::string& body : sample.Bodies(i)) Check(writer->Append({std::move(body)}));
    times.Add(static_cast<double>(MonotonicUs() - begin));
  }
  return times;
}

double SyncedRunsPerSecond(const std::string& folder, int threads, int runs_each) {
  Writer writer({.state_dir = folder, .sync = SyncPolicy::kDisk});
  const std::int64_t begin = MonotonicUs();
  {
    std::vector<std::jthread> all;
    for (int t = 0; t < threads; ++t) {
      all.emplace_back([&writer, runs_each, t] {
        Sample sample;
        for (int i = 0; i < runs_each; ++i) {
          for (std::string& body : sample.Bodies(t * 1000 + i)) Check(writer.Append({std::move(body)}));
        }
      });
    }
  }
  return 1e6 * threads * runs_each / static_cast<double>(MonotonicUs() - begin);
}

int Main(const std::string& root, std::int64_t records) {
  std::string name = root + "/audit-bench-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return 125;
  bool kept = true;
  Latencies warm = TimeRuns(name, 5000, false, SyncPolicy::kWritten);
  kept &=
      Say("a run's two records, in a process that stays, median", warm.At(0.5), "us", kRunUsPromised, false);
  Say("  99 of 100 take at most", warm.At(0.99), "us", 0, false);
  Latencies cold = TimeRuns(name, 2000, true, SyncPolicy::kWritten);
  kept &=
      Say("a run's two records, in a process of its own, median", cold.At(0.5), "us", kRunUsPromised, false);
  Say("  99 of 100 take at most", cold.At(0.99), "us", 0, false);

  {
    Writer writer({.state_dir = name});
    Sample sample;
    constexpr int kRuns = 25'000;
    const std::int64_t begin = MonotonicUs();
    const double cpu = CpuSeconds();
    for (int i = 0; i < kRuns; ++i) {
      for (std::string& body : sample.Bodies(i)) Check(writer.Append({std::move(body)}));
    }
    Say("records a second, one by one, by the clock",
        2e6 * kRuns / static_cast<double>(MonotonicUs() - begin), "/s", 0, true);
    kept &= Say("records a second of one core's time", 2.0 * kRuns / (CpuSeconds() - cpu), "/s",
                kRatePromised, true);
  }
  Say("synced runs a second, 1 thread", SyncedRunsPerSecond(name, 1, 100), "/s", 0, true);
  Say("synced runs a second, 16 threads", SyncedRunsPerSecond(name, 16, 20), "/s", 0, true);
  std::filesystem::remove_all(name);
  std::filesystem::create_directory(name);

  {
    Writer writer({.state_dir = name});
    Sample sample;
    constexpr int kTogether = 50;
    for (std::int64_t i = 0; i < records;) {
      std::vector<std::string> bodies;
      for (int k = 0; k < kTogether; ++k, i += 2) {
        for (std::string& body : sample.Bodies(i)) bodies.push_back(std::move(body));
      }
      Check(writer.Append(std::move(bodies)));
    }
  }
  const std::int64_t begin = MonotonicUs();
  const auto verdict = VerifyLog(LogFolder(name), {});
  const double seconds = static_cast<double>(MonotonicUs() - begin) / 1e6;
  std::filesystem::remove_all(name);
  if (!verdict || !verdict->intact) {
    fmt::print(stderr, "audit_bench: the log does not verify\n");
    return 125;
  }
  const bool whole = records >= kVerifyRecords;
  kept &= Say(fmt::format("verifying {} records", verdict->records), seconds, "s",
              whole ? kVerifySecondsPromised : 0, false);
  return kept ? 0 : 1;
}

}  // namespace
}  // namespace casemate::audit

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: audit_bench FOLDER [RECORDS]\n");
    return 2;
  }
  return casemate::audit::Main(
      argv[1], argc > 2 ? std::strtoll(argv[2], nullptr, 10) : casemate::audit::kVerifyRecords);
}
