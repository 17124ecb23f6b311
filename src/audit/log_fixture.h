#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "audit/store.h"
#include "audit/verify.h"
#include "audit/writer.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace casemate::audit {

// A log in a folder of the test's own.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    std::string name = testing::TempDir() + "/audit-XXXXXX";
    state_dir_ = mkdtemp(name.data());
    folder_ = LogFolder(state_dir_);
  }
  ~LogTest() override { std::filesystem::remove_all(state_dir_); }

  WriterOptions Options() const { return {.state_dir = state_dir_}; }
  static std::string Body(int number) {
    return fmt::format(R"({{"kind":"intent","time":"2026-11-21T14:00:00.{:06}Z","id":"run-{}")", number,
                       number);
  }
  static void Fill(Writer& writer, int from, int to) {
    for (int i = from; i < to; ++i) {
      const auto done = writer.Append({Body(i)});
      ASSERT_TRUE(done) << done.error().ToString();
    }
  }

  AuditVerdict Verify(const AuditVerifyOptions& options = {}) const {
    auto verdict = VerifyLog(folder_, options);
    EXPECT_TRUE(verdict) << verdict.error().ToString();
    return verdict ? *std::move(verdict) : AuditVerdict{};
  }
  static std::string Tell(const AuditVerdict& verdict) {
    std::string text;
    for (const AuditFinding& f : verdict.findings) {
      text +=
          fmt::format("{} {} {}@{} seq {}: {}\n", f.severity == AuditFinding::Severity::kBroken ? "!" : ".",
                      f.kind, f.segment, f.offset, f.seq, f.message);
    }
    return text;
  }
  // The findings that count, in order.
  static std::vector<AuditFinding> Broken(const AuditVerdict& verdict) {
    std::vector<AuditFinding> broken;
    for (const AuditFinding& f : verdict.findings) {
      if (f.severity == AuditFinding::Severity::kBroken) broken.push_back(f);
    }
    return broken;
  }

  std::string Segment(std::int64_t number = 1) const { return SegmentPath(folder_, number); }
  std::vector<std::int64_t> Segments() const {
    return ListSegments(folder_).value_or(std::vector<std::int64_t>{});
  }
  static std::string Read(const std::string& path) { return *ReadFile(path, std::size_t{1} << 30U); }
  static void Write(const std::string& path, std::string_view bytes) {
    ASSERT_TRUE(WriteFileAtomically(path, bytes, 0600));
  }
  static std::vector<std::string> Lines(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      lines.push_back(text.substr(at, end - at));
      at = end == std::string::npos ? text.size() : end + 1;
    }
    return lines;
  }
  static std::string Join(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }

  std::string state_dir_;
  std::string folder_;
};

}  // namespace casemate::audit
