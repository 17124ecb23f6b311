#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "engine/flow.h"
#include "isolation/fake/fake_backend.h"
#include "surfaces/http/server.h"

namespace casemate::http {

// An engine over a backend that plays `script`.
inline std::unique_ptr<Engine> EngineThatPlays(fake::Script script, const std::string& state_dir) {
  EngineParts parts;
  parts.backends.push_back(std::make_unique<fake::FakeBackend>(std::move(script)));
  // No interpreter is needed to run a command.
  parts.environment = {.python = "/nowhere/python3", .state_dir = state_dir};
  parts.state_dir = state_dir;
  return MakeEngineOf(std::move(parts));
}

constexpr std::string_view kRunBody = R"({"command":["program"]})";

inline std::string Post(std::string_view body, std::string_view fields = "") {
  return "POST /v1/run HTTP/1.1\r\nHost: x\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// A peer that says exactly what it is told to.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(std::move(*Connect(path))) {}
  explicit RawClient(UniqueFd fd) : fd_(std::move(fd)) {}

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      pollfd entry{fd_.get(), POLLOUT, 0};
      ::poll(&entry, 1, kPatienceMs);
      const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // Reads until `text` has come, or the end; all that came since the last call.
  std::string ReadUntil(std::string_view text) {
    const Deadline deadline = Deadline::After(kPatienceMs);
    for (;;) {
      const std::size_t found = text.empty() ? std::string::npos : got_.find(text);
      if (found != std::string::npos) {
        std::string taken = got_.substr(0, found + text.size());
        got_.erase(0, found + text.size());
        return taken;
      }
      pollfd entry{fd_.get(), POLLIN, 0};
      if (::poll(&entry, 1, static_cast<int>(deadline.RemainingMs())) <= 0) return "(silence)" + got_;
      std::array<char, 65536> buffer{};
      const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) return std::exchange(got_, {});
      got_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  std::string ReadAll() { return ReadUntil(""); }
  // One answer with a Content-Length: its status line, and its body.
  std::pair<std::string, std::string> ReadAnswer() {
    const std::string head = ReadUntil("\r\n\r\n");
    const std::size_t length = head.find("Content-Length: ");
    if (length == std::string::npos) return {head, ""};
    const auto size = std::strtoull(head.c_str() + length + 16, nullptr, 10);
    std::string body;
    while (body.size() < size) {
      const std::string piece = ReadUntil("\n");
      if (piece.empty() || piece.starts_with("(silence)")) break;
      body += piece;
    }
    return {head.substr(0, head.find('\r')), body};
  }
  int fd() const { return fd_.get(); }
  void HangUp() { fd_.reset(); }

 private:
  static constexpr int kPatienceMs = 20'000;
  UniqueFd fd_;
  std::string got_;
};

class ServerFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/casemate-http-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/engine.sock";
  }
  void TearDown() override {
    Stop();
    std::filesystem::remove_all(folder_);
  }

  void Start(fake::Script script) { Start(EngineThatPlays(std::move(script), folder_)); }
  void Start(std::unique_ptr<Engine> engine) {
    engine_ = std::move(engine);
    options_.state_dir = folder_;
    handler_.emplace(*engine_, "9.9", nullptr, options_);
    stop_.reset(::eventfd(0, EFD_CLOEXEC));
    auto listener = Listener::Open(path_);
    ASSERT_TRUE(listener) << listener.error().message;
    server_ = std::make_unique<Server>(*std::move(listener), *handler_, limits_);
    if (tcp_) server_->Listen(*std::move(tcp_));
    thread_ = std::thread([this] { server_->Serve(stop_.get(), drain_ms_); });
  }
  void BeginStop() const {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(stop_.get(), &one, sizeof one), 8);
  }
  void Stop() {
    if (!thread_.joinable()) return;
    BeginStop();
    thread_.join();
  }
  bool WaitForRuns(int count) const {
    const Deadline deadline = Deadline::After(20'000);
    while (handler_->running() != count) {
      if (deadline.Passed()) return false;
      ::usleep(1000);
    }
    return true;
  }

  std::string folder_;
  std::string path_;
  ServerLimits limits_;
  HandlerOptions options_;
  std::optional<TcpListener> tcp_;
  std::string name_;  // of the TCP address, if there is one
  std::int64_t drain_ms_ = 20'000;
  std::unique_ptr<Engine> engine_;
  std::optional<Handler> handler_;
  UniqueFd stop_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace casemate::http
