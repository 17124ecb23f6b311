// The MCP server with an engine that is made up; tests/mcp/ has the real one.
#include "surfaces/mcp/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "base/file.h"
#include "model/json.h"
#include "surfaces/mcp/tools.h"

namespace casemate::mcp {
namespace {

using testing::HasSubstr;
using testing::Not;

// Keeps what it was asked; "wait" waits to be cancelled.
class EchoEngine : public Engine {
 public:
  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen /*cancel_when*/) override {
    ExecutionResult result;
    result.id = "run-1";
    result.status = Status::kOk;
    if (request.code == "wait") {
      pollfd entry{cancel_fd, POLLIN, 0};
      ::poll(&entry, 1, 20'000);
      result.status = Status::kCancelled;
    }
    result.stdout_text = request.code.value_or("command");
    if (sink != nullptr) sink->OnEvent(StdoutEvent{result.stdout_text});
    result.displays.push_back({{{"image/png", "iVBORw0="}, {"text/plain", "<Figure>"}}});
    result.displays.push_back({{{"text/plain", "a table"}}});
    return result;
  }
};

class McpTest : public testing::Test {
 protected:
  // What is answered to `lines`, once all calls have ended.
  std::string Answers(const std::vector<std::string>& lines, ServerOptions options = {}) {
    const UniqueFd out(::memfd_create("out", MFD_CLOEXEC));
    {
      Server server(engine_, checker_, std::move(options), out.get());
      for (const std::string& line : lines) server.Handle(line);
    }
    ::lseek(out.get(), 0, SEEK_SET);
    return ReadAll(out.get(), 1 << 20, "answers").value();
  }
  static std::string Call(std::string_view tool, std::string_view arguments, std::string_view more = "") {
    return std::string(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")") +
           std::string(tool) + R"(","arguments":)" + std::string(arguments) + std::string(more) + "}}";
  }

  EchoEngine engine_;
  const CodeChecker checker_ = CodeChecker::Make({}).value();
};

Expected<ExecutionRequest> Request(std::string_view tool, std::string_view arguments,
                                   const ExecutionRequest& base = {}) {
  auto read = ReadArguments(FindTool(tool).value(), ParseJson(arguments).value(), base);
  if (!read) return std::unexpected(std::move(read.error()));
  return std::move(read->request);
}

TEST_F(McpTest, ToolsFitOnOneLine) {
  const std::string answer = Answers({R"({"jsonrpc":"2.0","id":"x","method":"tools/list"})"});
  EXPECT_EQ(answer.find('\n'), answer.size() - 1);
  EXPECT_THAT(answer, HasSubstr(R"({"jsonrpc":"2.0","id":"x","result":{"tools":[{"name":"run_python")"));
}

TEST_F(McpTest, AnswersWithTextPicturesAndTheResult) {
  const std::string answer = Answers({Call("run_python", R"({"code":"hello"})")});
  EXPECT_THAT(answer, HasSubstr(R"({"type":"text","text":"hello\ndisplay: a table"})"));
  EXPECT_THAT(answer, HasSubstr(R"({"type":"image","data":"iVBORw0=","mimeType":"image/png"})"));
  EXPECT_THAT(answer, HasSubstr(R"("structuredContent":{"id":"run-1","status":"ok")"));
  EXPECT_THAT(answer, HasSubstr(R"("isError":false)"));
}

TEST_F(McpTest, TellsProgressToWhoAsksForIt) {
  EXPECT_THAT(Answers({Call("run_python", R"({"code":"hi"})", R"(,"_meta":{"progressToken":"t"})")}),
              HasSubstr(R"("params":{"progressToken":"t","progress":1,"message":"hi"})"));
  EXPECT_THAT(Answers({Call("run_python", R"({"code":"hi"})")}), Not(HasSubstr("progress")));
}

TEST_F(McpTest, DoesNotAnswerWhatWasCancelled) {
  const std::string cancel =
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})";
  EXPECT_EQ(Answers({Call("run_python", R"({"code":"wait"})"), cancel}), "");
  EXPECT_THAT(Answers({Call("run_python", R"({"code":"wait"})")}), HasSubstr(R"("status":"cancelled")"))
      << "the end of the server is no cancellation by the client";
}

TEST_F(McpTest, BoundsCalls) {
  ServerOptions options;
  options.calls_max = 1;
  std::string second = Call("run_python", R"({"code":"x"})");
  second.replace(second.find("\"id\":1"), 6, "\"id\":2");
  EXPECT_THAT(Answers({Call("run_python", R"({"code":"wait"})"), second}, options),
              HasSubstr("too many programs"));
}

TEST(McpArgumentsTest, AddToWhatTheOperatorGives) {
  ExecutionRequest base;
  base.env = {{"A", "1"}};
  base.files = {{"f", "operator's"}, {"g", "kept"}};
  base.limits = {{"memory_bytes", 100.0 * kMiB}};
  const auto request = Request(
      "run_python", R"({"code":"c","files":{"f":"mine"},"memory_mb":50,"timeout_seconds":1.5})", base);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->code, "c");
  EXPECT_EQ(request->env, base.env);
  EXPECT_EQ(request->files.size(), 2U);
  EXPECT_EQ(request->files[1].bytes, "mine");
  EXPECT_EQ(request->limits,
            (std::map<std::string, double>{{"memory_bytes", 50.0 * kMiB}, {"wall_time_ms", 1500}}));
  EXPECT_THAT(Request("run_python", R"({"code":"c","memory_mb":101})", base).error().message,
              HasSubstr("\"memory_mb\" is at most 100 here"));
}

TEST(McpArgumentsTest, TakeNothingElse) {
  for (const char* more : {R"("secrets":{"A":"env:B"})", R"("mounts":[])", R"("workspace":{"path":"/"})",
                           R"("env":{})", R"("policy":"x")", R"("limits":{})", R"("isolation":"process")"}) {
    EXPECT_THAT(Request("run_python", std::string(R"({"code":"c",)") + more + "}").error().message,
                HasSubstr("has no argument"));
  }
  EXPECT_THAT(Request("run_command", R"({"command":["a"],"input":1})").error().message,
              HasSubstr("\"input\""));
  EXPECT_THAT(Request("run_command", "{}").error().message, HasSubstr("needs the argument \"command\""));
}

TEST(McpArgumentsTest, AStepHasItsOwnAndNothingOfTheOperator) {
  ExecutionRequest base;
  base.env = {{"A", "1"}};
  base.limits = {{"wall_time_ms", 2000}};
  const auto step = ReadArguments(
      Tool::kSessionRun, ParseJson(R"({"session_id":"s","code":"c","timeout_seconds":1})").value(), base);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->session_id, "s");
  EXPECT_TRUE(step->request.env.empty());
  EXPECT_THAT(
      Request("session_run", R"({"session_id":"s","code":"c","timeout_seconds":3})", base).error().message,
      HasSubstr("at most 2 here"));
  EXPECT_THAT(Request("session_run", R"({"session_id":"s"})").error().message, HasSubstr("\"code\""));
  EXPECT_THAT(Request("session_start", R"({"code":"c"})").error().message, HasSubstr("has no argument"));
  EXPECT_EQ(Request("session_start", "{}", base)->env, base.env);
}

TEST_F(McpTest, SaysWhereThereAreNoSessions) {
  EXPECT_THAT(Answers({Call("session_end", R"({"session_id":"s"})")}),
              HasSubstr("there are no sessions here"));
}

TEST(McpMessageTest, ReadsBatches) {
  const auto messages = ReadMessages(R"([{"jsonrpc":"2.0","id":1,"method":"a"},7])");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0]->method, "a");
  EXPECT_EQ(messages[1].error().code, RpcCode::kInvalidRequest);
  EXPECT_EQ(ReadMessages("[]").size(), 1U);
}

}  // namespace
}  // namespace casemate::mcp
