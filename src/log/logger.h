#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace casemate {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
std::string_view LogLevelName(LogLevel level);  // "debug", "info", "warning", "error"
std::optional<LogLevel> ParseLogLevel(std::string_view name);

enum class LogFormat {
  kLogfmt,  // time=… level=info msg="…" key=value
  kJson     // one object a line
};
std::optional<LogFormat> ParseLogFormat(std::string_view name);  // "logfmt", "json"

// Writes lines to a descriptor, each with its time, level, message and fields. Thread-safe. A line never
// holds anyone up for more than kPatienceMs: while nobody reads the descriptor lines are dropped, and the
// next one that is written says how many.
class Logger {
 public:
  static constexpr int kPatienceMs = 100;
  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;
  // Takes out what must not leave; called by one thread at a time. None leaves texts as they are.
  using Clean = std::function<std::string(std::string_view)>;

  // `fd` stays the caller's.
  Logger(int fd, LogLevel level, LogFormat format, Clean clean)
      : fd_(fd), level_(level), format_(format), clean_(std::move(clean)) {}

  bool Takes(LogLevel level) const { return level >= level_; }
  void Log(LogLevel level, std::string_view message, Fields fields = {});

  // Lines that nobody read, since the start.
  std::int64_t dropped() const { return dropped_; }

 private:
  std::string Line(LogLevel level, std::string_view message, Fields fields) const;
  std::string Cleaned(std::string_view text) const { return clean_ ? clean_(text) : std::string(text); }
  bool Write(std::string_view line) const;

  const int fd_;
  const LogLevel level_;
  const LogFormat format_;
  const Clean clean_;
  std::mutex mutex_;
  std::atomic<std::int64_t> dropped_ = 0;
  std::int64_t untold_ = 0;  // of those
};

}  // namespace casemate
