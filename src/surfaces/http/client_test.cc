#include "surfaces/http/client.h"

#include <gmock/gmock.h>

#include "model/event_json.h"
#include "surfaces/http/server_fixture.h"

namespace casemate::http {
namespace {

using testing::HasSubstr;

class Recorder : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    if (const auto* text = std::get_if<StdoutEvent>(&event)) out += text->text;
    if (const auto* text = std::get_if<StderrEvent>(&event)) err += text->text;
    if (std::holds_alternative<FinishedEvent>(event)) ++finished;
  }
  std::string out;
  std::string err;
  int finished = 0;
};

class ClientTest : public ServerFixture {
 protected:
  ClientTest() { request_.command = {"program"}; }

  // Accepts one peer, reads what it says up to `until`, answers and closes.
  std::thread Impostor(std::string_view until, std::string_view answer) {
    auto listener = Listener::Open(path_);
    return std::thread([listener = *std::move(listener), until, answer]() mutable {
      pollfd entry{listener.fd(), POLLIN, 0};
      ::poll(&entry, 1, 20'000);
      const UniqueFd peer(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      std::string got;
      std::array<char, 4096> buffer{};
      while (!until.empty() && got.find(until) == std::string::npos) {
        const ssize_t count = ::recv(peer.get(), buffer.data(), buffer.size(), 0);
        if (count <= 0) break;
        got.append(buffer.data(), static_cast<std::size_t>(count));
        if (got.ends_with("\r\n\r\n") && until != "\r\n\r\n") {
          constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
          (void)!::write(peer.get(), kContinue.data(), kContinue.size());
        }
      }
      (void)!::write(peer.get(), answer.data(), answer.size());
    });
  }

  ExecutionRequest request_;
};

TEST_F(ClientTest, GetsTheResult) {
  Start({.stdout_text = "out", .stderr_text = "err", .exit = {3, {}}});
  const auto result = RunAt(path_, request_, nullptr, -1);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->stdout_text, "out");
  EXPECT_EQ(result->exit_code, 3);
}

TEST_F(ClientTest, GetsBytesThatAreNoText) {
  std::string bytes;
  for (int i = 0; i < 300'000; ++i) bytes += static_cast<char>(i * 7);
  Start({.stdout_text = bytes, .stderr_text = "caf\xc3"});
  request_.keep_streams = false;
  Recorder recorder;
  const auto result = RunAt(path_, request_, &recorder, -1);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(recorder.out, bytes);
  EXPECT_EQ(recorder.err, "caf\xc3");
  EXPECT_EQ(recorder.finished, 1);
  EXPECT_EQ(result->stdout_text, "");
  EXPECT_EQ(result->usage.stdout_bytes, 300'000);
}

TEST_F(ClientTest, CancelsAndStillGetsTheResult) {
  Start({.runs_for_ever = true});
  const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC));
  std::thread later([&] {
    WaitForRuns(1);
    const std::uint64_t one = 1;
    (void)!::write(cancel.get(), &one, sizeof one);
  });
  Recorder recorder;
  for (EventSink* sink : {static_cast<EventSink*>(&recorder), static_cast<EventSink*>(nullptr)}) {
    const auto result = RunAt(path_, request_, sink, cancel.get());
    // The second finds its cancellation there already, and may not have been taken.
    if (sink != nullptr) {
      ASSERT_TRUE(result) << result.error().message;
    }
    if (result) {
      EXPECT_EQ(result->status, Status::kCancelled);
    }
  }
  later.join();
}

TEST_F(ClientTest, AnErrorMeansThatNothingRan) {
  EXPECT_EQ(RunAt(path_, request_, nullptr, -1).error().code, ErrorCode::kNotFound);
  Start(fake::Script{});
  handler_->BeginDrain();
  const auto drained = RunAt(path_, request_, nullptr, -1);
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(drained.error().message, HasSubstr("about to end"));
  request_.code = "\xff";
  EXPECT_EQ(RunAt(path_, request_, nullptr, -1).error().code, ErrorCode::kInvalidRequest);
}

TEST_F(ClientTest, AnEngineThatStandsStillIsGivenUpBeforeItHasTheRequest) {
  const auto listener = Listener::Open(path_);
  ASSERT_TRUE(listener);
  const auto result = RunAt(path_, request_, nullptr, -1);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
}

TEST_F(ClientTest, AnEngineThatGoesAwayBeforeItHasTheRequestRanNothing) {
  std::thread engine = Impostor("\r\n\r\n", "");
  EXPECT_EQ(RunAt(path_, request_, nullptr, -1).error().code, ErrorCode::kUnavailable);
  engine.join();
}

TEST_F(ClientTest, AnEngineThatGoesAwayDuringARunIsToldOf) {
  for (const char* answer :
       {"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n", "no HTTP\r\n\r\n"}) {
    for (const bool stream : {false, true}) {
      std::thread engine = Impostor("]}", answer);
      Recorder recorder;
      const auto result = RunAt(path_, request_, stream ? &recorder : nullptr, -1);
      engine.join();
      ASSERT_TRUE(result) << answer << result.error().message;
      EXPECT_EQ(result->status, Status::kFailed);
      EXPECT_THAT(result->error->message, HasSubstr("went away during the run")) << answer;
    }
  }
}

}  // namespace
}  // namespace casemate::http
