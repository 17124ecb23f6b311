#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "casemate/engine.h"
#include "casemate/request.h"
#include "policy/checks/code_checker.h"
#include "surfaces/mcp/message.h"
#include "surfaces/mcp/outbox.h"
#include "surfaces/mcp/tools.h"

namespace casemate::mcp {

struct ServerOptions {
  ExecutionRequest base;  // what each run has besides the client's arguments
  std::size_t calls_max = 16;
};

// Serves one client by the Model Context Protocol (2025-06-18 and 2025-03-26) over two descriptors, a message
// a line: its tools run in `engine`, each call on a thread of its own. A notifications/cancelled ends a
// call without an answer. A call with a progressToken tells what the program prints as it comes.
class Server {
 public:
  // `engine` and `checker` must outlive it.
  Server(Engine& engine, const CodeChecker& checker, ServerOptions options, int out_fd);
  // Cancels what runs and waits for it.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Handles one line of the client. One thread.
  void Handle(std::string_view line);

 private:
  struct Call {
    std::string id;
    UniqueFd cancel;  // an eventfd
    std::atomic<bool> cancelled = false;
    std::atomic<bool> done = false;
    std::thread thread;
  };

  void HandleMessage(const Message& message);
  void HandleNotification(const Message& message);
  void CallTool(const Message& message);
  // Answers with what `work` returns, on a thread of its own.
  using Work = std::function<std::string(EventSink* sink, int cancel_fd)>;
  void Start(const Message& message, Work work);
  Work WorkOf(Tool tool, ToolArguments arguments);
  void Reap();
  static void Cancel(Call& call);

  Engine& engine_;
  const CodeChecker& checker_;
  const ServerOptions options_;
  Outbox outbox_;
  std::list<Call> calls_;
};

// Serves from `in_fd` until its end, or until `stop_fd` is readable.
Expected<void> Serve(Server& server, int in_fd, int stop_fd);

}  // namespace casemate::mcp
