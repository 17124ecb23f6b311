#include "model/event_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/json.h"
#include "model/result_json.h"

namespace casemate {
namespace {

std::string Line(const Event& event) {
  std::string line;
  AppendEventLine(line, event);
  EXPECT_TRUE(line.ends_with('\n'));
  line.pop_back();
  EXPECT_EQ(line.find('\n'), std::string::npos);
  return line;
}

// Writes each event that it gets as its line again.
class Echo : public EventSink {
 public:
  void OnEvent(const Event& event) override { lines.push_back(Line(event)); }
  std::vector<std::string> lines;
};

TEST(EventJson, ComesBackAsItWas) {
  ExecutionResult result;
  result.id = "run-1";
  result.status = Status::kOk;
  const Display display{{{"image/png", "iVBO"}}};
  const JsonText value = *ParseJson("[1.50]");
  const ProgramError error{"ValueError", "bad", "Traceback", ""};
  const Denial denial{"syscall", "mount", 2, "none"};
  const std::vector<std::string> lines = {Line(StartedEvent{"run-1"}), Line(StdoutEvent{"a\nb"}),
                                          Line(StderrEvent{"\xff"}),   Line(DisplayEvent{&display}),
                                          Line(DenialEvent{&denial}),  Line(ResultEvent{&value}),
                                          Line(ErrorEvent{&error}),    Line(FinishedEvent{&result})};
  EXPECT_EQ(lines[1], R"({"event":"stdout","text":"a\nb"})");
  EXPECT_EQ(lines[2], R"({"event":"stderr","base64":"/w=="})");
  EXPECT_EQ(lines[5], R"({"event":"result","value":[1.50]})");
  Echo echo;
  ExecutionResult finished;
  for (const std::string& line : lines) {
    const auto last = ReadEventLine(line, &echo, finished);
    ASSERT_TRUE(last) << line << last.error().message;
    EXPECT_EQ(*last, line == lines.back());
  }
  EXPECT_EQ(echo.lines, lines);
  EXPECT_EQ(EncodeResult(finished), EncodeResult(result));
}

TEST(EventJson, WhatIsNoEventIsRefusedAndAnUnknownOnePassedOver) {
  ExecutionResult finished;
  for (const char* line :
       {"", "[]", "{}", R"({"event":1})", R"({"event":"stdout"})", R"({"event":"started"})",
        R"({"event":"stdout","base64":"x"})", R"({"event":"finished","result":{}})"}) {
    EXPECT_FALSE(ReadEventLine(line, nullptr, finished)) << line;
  }
  EXPECT_EQ(ReadEventLine(R"({"event":"heartbeat"})", nullptr, finished), false);
}

}  // namespace
}  // namespace casemate
