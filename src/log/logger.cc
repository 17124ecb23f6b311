#include "log/logger.h"

#include <fmt/format.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "model/json_writer.h"

namespace casemate {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};

std::string Now() {
  const std::int64_t now_us = WallClockUs();
  const time_t seconds = now_us / 1'000'000;
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, now_us % 1'000'000);
}

// As it is when every reader of logfmt takes it for one word, and a JSON string otherwise, which has no byte
// that ends a line.
std::string Word(std::string_view text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
  });
  if (plain) return std::string(text);
  JsonWriter writer;
  writer.String(text);
  return std::move(writer).Take();
}

}  // namespace

std::string_view LogLevelName(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  const auto* const at = std::ranges::find(kLevels, name);
  if (at == kLevels.end()) return std::nullopt;
  return static_cast<LogLevel>(at - kLevels.begin());
}

std::optional<LogFormat> ParseLogFormat(std::string_view name) {
  if (name == "logfmt") return LogFormat::kLogfmt;
  if (name == "json") return LogFormat::kJson;
  return std::nullopt;
}

std::string Logger::Line(LogLevel level, std::string_view message, Fields fields) const {
  if (format_ == LogFormat::kLogfmt) {
    std::string line =
        fmt::format("time={} level={} msg={}", Now(), LogLevelName(level), Word(Cleaned(message)));
    for (const auto& [name, value] : fields) line += fmt::format(" {}={}", name, Word(Cleaned(value)));
    return line + "\n";
  }
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("time", Now());
  writer.Field("level", LogLevelName(level));
  writer.Field("msg", Cleaned(message));
  for (const auto& [name, value] : fields) writer.Field(name, Cleaned(value));
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

// False when nobody reads. A pipe that has room for some of a line takes the rest later, or is broken off
// there.
bool Logger::Write(std::string_view line) const {
  // Who did not read the last line is not waited for again.
  const Deadline deadline = Deadline::After(untold_ > 0 ? 0 : kPatienceMs);
  while (!line.empty()) {
    pollfd room{fd_, POLLOUT, 0};
    // A pipe that is writable takes PIPE_BUF bytes at once; a longer write could wait for its reader.
    constexpr std::size_t kPieceMax = 4096;
    if (::poll(&room, 1, static_cast<int>(deadline.RemainingMs())) <= 0) return false;
    const ssize_t count = ::write(fd_, line.data(), std::min(line.size(), kPieceMax));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    line.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void Logger::Log(LogLevel level, std::string_view message, Fields fields) {
  if (!Takes(level)) return;
  const std::lock_guard lock(mutex_);
  const std::string line = Line(level, message, fields);
  if (untold_ > 0) {
    const std::string told = Line(LogLevel::kWarning, "log lines were dropped, since nobody read them",
                                  {{"lines", fmt::format("{}", untold_)}});
    if (!Write(told)) {
      ++untold_;
      ++dropped_;
      return;
    }
    untold_ = 0;
  }
  if (Write(line)) return;
  ++untold_;
  ++dropped_;
}

}  // namespace casemate
