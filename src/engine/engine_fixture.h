#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/writer.h"
#include "base/file.h"
#include "engine/flow.h"
#include "isolation/fake/fake_backend.h"
#include "runtime/frame.h"

namespace casemate {

inline constexpr const char* kPython = "/usr/bin/python3";

// Writes each event as one word.
class EventWriter : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    words.push_back(std::visit(Namer{}, event));
    if (then) std::exchange(then, nullptr)();
  }
  std::vector<std::string> words;
  std::function<void()> then;  // what is done at the first event

 private:
  struct Namer {
    std::string operator()(const StartedEvent& e) const { return e.id.empty() ? "?" : "started"; }
    std::string operator()(const StdoutEvent& e) const { return "out:" + std::string(e.text); }
    std::string operator()(const StderrEvent& e) const { return "err:" + std::string(e.text); }
    std::string operator()(const DisplayEvent& e) const {
      return "display:" + e.display->data.begin()->second;
    }
    std::string operator()(const ResultEvent& e) const { return "result:" + e.result->text(); }
    std::string operator()(const ErrorEvent& e) const { return "error:" + e.error->type; }
    std::string operator()(const DenialEvent& e) const { return "denial:" + e.denial->what; }
    std::string operator()(const FinishedEvent& e) const {
      return "finished:" + std::string(StatusName(e.result->status));
    }
  };
};

// An engine over a backend without a kernel; the host's interpreter is asked for its paths, and never runs a
// program.
class EngineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = testing::TempDir() + "/engine-XXXXXX";
    state_dir_ = new std::string(mkdtemp(name.data()));
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(*state_dir_);
    delete state_dir_;
  }
  void SetUp() override {
    if (!FileExists(kPython)) GTEST_SKIP() << kPython << " is not there";
    request_.code = "print(1)";
  }

  // Of two tiers, of which the stronger cannot start.
  ExecutionResult RunInOneOfTwo() {
    EngineParts parts;
    auto stronger = std::make_unique<fake::FakeBackend>(fake::Script{});
    stronger->launch_error = launch_error_;
    parts.backends.push_back(std::move(stronger));
    parts.backends.push_back(std::make_unique<fake::FakeBackend>(fake::Script{}, Tier::kProcess));
    parts.environment = {.python = kPython, .state_dir = *state_dir_};
    parts.state_dir = *state_dir_;
    return MakeEngineOf(std::move(parts))->Execute(request_, nullptr, -1);
  }

  ExecutionResult Run(fake::Script script = {}) {
    auto backend = std::make_unique<fake::FakeBackend>(std::move(script));
    backend->admit_error = admit_error_;
    backend->launch_error = launch_error_;
    fake::FakeBackend* fake = backend.get();
    EngineParts parts;
    parts.backends.push_back(std::move(backend));
    parts.environment = {.python = kPython, .state_dir = *state_dir_};
    parts.secrets = MakeSecretStore({});
    parts.state_dir = *state_dir_;
    parts.audit = audit_;
    const auto engine = MakeEngineOf(std::move(parts));
    ExecutionResult result = engine->Execute(request_, &events_, cancel_fd_);
    launched_ = fake->launched;
    request_seen_ = *fake->request_seen;
    return result;
  }
  // A refusal before anything is launched, whose sentence holds `says`.
  void ExpectRejected(const std::string& says) {
    const ExecutionResult result = Run();
    EXPECT_EQ(result.status, Status::kRejected) << says;
    ASSERT_TRUE(result.error) << says;
    EXPECT_THAT(result.error->message, testing::HasSubstr(says));
    EXPECT_TRUE(result.error->type == "casemate.invalid_request" ||
                result.error->type == "casemate.not_found");
    EXPECT_FALSE(launched_) << says;
    EXPECT_THAT(events_.words, testing::ElementsAre("error:" + result.error->type, "finished:rejected"));
    events_.words.clear();
  }

  static inline std::string* state_dir_ = nullptr;
  ExecutionRequest request_;
  std::optional<Error> admit_error_;
  std::optional<Error> launch_error_;
  int cancel_fd_ = -1;
  std::shared_ptr<audit::Writer> audit_;
  EventWriter events_;
  std::optional<LaunchSpec> launched_;
  std::string request_seen_;
};
inline std::string Started() { return EncodeFrame(FrameType::kStarted, ""); }
inline std::string Resulting(std::string_view json) {
  return Started() + EncodeFrame(FrameType::kResult, json);
}

}  // namespace casemate
