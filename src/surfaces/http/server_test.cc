#include "surfaces/http/server.h"

#include <gmock/gmock.h>

#include <list>

#include "model/result_json.h"
#include "surfaces/http/server_fixture.h"

namespace casemate::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using ServerTest = ServerFixture;

// More than a socket and any buffer of ours hold.
std::string Flood() {
  std::string text;
  text.resize(20'000'000, 'x');
  return text;
}

TEST_F(ServerTest, AnswersARunWithItsResult) {
  Start({.stdout_text = "hello", .exit = {3, {}}});
  RawClient client(path_);
  client.Send(Post(kRunBody));
  const auto [status, body] = client.ReadAnswer();
  EXPECT_EQ(status, "HTTP/1.1 200 OK");
  const auto result = DecodeResult(body);
  ASSERT_TRUE(result) << body;
  EXPECT_EQ(result->stdout_text, "hello");
  EXPECT_EQ(result->status, Status::kError);
  EXPECT_EQ(result->exit_code, 3);
}

TEST_F(ServerTest, ARefusedRunHasAResultToo) {
  Start(fake::Script{});
  RawClient client(path_);
  client.Send(Post(R"({"code":"1","command":["x"]})"));
  const auto [status, body] = client.ReadAnswer();
  EXPECT_EQ(status, "HTTP/1.1 200 OK");
  EXPECT_EQ(DecodeResult(body)->status, Status::kRejected);
}

TEST_F(ServerTest, KeepsAConnectionAndTakesPipelinedRequests) {
  Start({.stdout_text = "x"});
  RawClient client(path_);
  for (int i = 0; i < 3; ++i) {
    client.Send(Post(kRunBody));
    EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 200 OK");
  }
  client.Send(Post(kRunBody) + "GET /v1/health HTTP/1.1\r\n\r\n" + Post(kRunBody));
  EXPECT_THAT(client.ReadAnswer().second, HasSubstr("\"stdout\":\"x\""));
  EXPECT_THAT(client.ReadAnswer().second, HasSubstr("\"version\":\"9.9\""));
  EXPECT_THAT(client.ReadAnswer().second, HasSubstr("\"stdout\":\"x\""));
}

TEST_F(ServerTest, TakesARequestInPieces) {
  Start({.stdout_text = "x"});
  RawClient client(path_);
  for (const char byte : Post(kRunBody)) client.Send({&byte, 1});
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 200 OK");
}

TEST_F(ServerTest, TakesAChunkedBody) {
  Start({.stdout_text = "x"});
  RawClient client(path_);
  client.Send("POST /v1/run HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb;name=v\r\n{\"command\":\r\n");
  client.Send("c\r\n[\"program\"]}\r\n0\r\nTrailer: x\r\n\r\n");
  EXPECT_THAT(client.ReadAnswer().second, HasSubstr("\"stdout\":\"x\""));
  client.Send(Post(kRunBody));
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 200 OK");
}

TEST_F(ServerTest, ALargeBodyComesWhole) {
  Start({.echoes_stdin = true});
  const std::string text(3'000'000, 'x');
  RawClient client(path_);
  client.Send(Post(R"({"command":["p"],"limits":{"stdout_bytes_max":4000000},"stdin":")" + text + "\"}"));
  EXPECT_EQ(DecodeResult(client.ReadAnswer().second)->stdout_text, text);
}

TEST_F(ServerTest, AsksForAnExpectedBody) {
  Start({.stdout_text = "x"});
  RawClient client(path_);
  const std::string request = Post(kRunBody, "Expect: 100-continue\r\n");
  client.Send(request.substr(0, request.size() - kRunBody.size()));
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send(kRunBody);
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 200 OK");
}

TEST_F(ServerTest, StreamsEventsInOrder) {
  Start({.stdout_text = "hello\n"});
  RawClient client(path_);
  client.Send(Post(kRunBody, "Accept: application/x-ndjson\r\n"));
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_THAT(client.ReadUntil("\n\r\n"), HasSubstr(R"({"event":"started","id":"run-)"));
  EXPECT_THAT(client.ReadUntil("\n\r\n"), HasSubstr(R"({"event":"stdout","text":"hello\n"})"));
  EXPECT_THAT(client.ReadUntil("\n\r\n"), HasSubstr(R"({"event":"finished","result":{"id":"run-)"));
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "0\r\n\r\n");
  client.Send(Post(kRunBody));
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 200 OK") << "the connection is good for more";
}

TEST_F(ServerTest, OldClientsGetTheirStreamWithoutChunks) {
  Start({.stdout_text = "hello"});
  RawClient client(path_);
  client.Send("POST /v1/run HTTP/1.0\r\nAccept: application/x-ndjson\r\nContent-Length: 23\r\n\r\n" +
              std::string(kRunBody));
  const std::string all = client.ReadAll();
  EXPECT_THAT(all, Not(HasSubstr("chunked")));
  EXPECT_THAT(all, HasSubstr("\r\n\r\n{\"event\":\"started\""));
  EXPECT_THAT(all, EndsWith("}\n"));
}

TEST_F(ServerTest, TellsWhatItDoesNotKnow) {
  Start(fake::Script{});
  RawClient client(path_);
  client.Send("GET /v2/run HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 404 Not Found");
  client.Send("PUT /v1/run HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("405 Method Not Allowed\r\n"));
  EXPECT_THAT(client.ReadUntil("\n"), HasSubstr("use POST, GET, HEAD"));
  client.Send("HEAD /v1/health HTTP/1.1\r\n\r\nGET /v1/health?x=1 HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json"));
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 200 OK") << "an answer to HEAD has no body";
  client.Send(Post("{"));
  const auto [status, body] = client.ReadAnswer();
  EXPECT_EQ(status, "HTTP/1.1 400 Bad Request");
  EXPECT_THAT(body, HasSubstr(R"("status":400,"detail":"the request is not JSON)"));
}

TEST_F(ServerTest, RefusesWhatIsNoHttpAndEndsTheConnection) {
  Start(fake::Script{});
  for (const char* bytes : {"hello\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET / HTTP/1.1\r\nbad field\r\n\r\n",
                            "POST /v1/run HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                            "POST /v1/run HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                            "POST /v1/run HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawClient client(path_);
    client.Send(bytes);
    EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 400 ")) << bytes;
  }
}

TEST_F(ServerTest, BoundsFieldsBodiesAndChunkLines) {
  limits_.body_bytes_max = 1000;
  Start(fake::Script{});
  const std::string field = "X: " + std::string(20'000, 'x');
  RawClient fields(path_);
  fields.Send("GET /v1/health HTTP/1.1\r\n" + field);
  EXPECT_THAT(fields.ReadAll(), StartsWith("HTTP/1.1 431 "));
  RawClient body(path_);
  body.Send(Post(std::string(100'000, 'x')));
  EXPECT_THAT(body.ReadAll(), StartsWith("HTTP/1.1 413 ")) << "though its body was under way";
  RawClient chunk(path_);
  chunk.Send("POST /v1/run HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n500\r\n" + std::string(0x500, 'x'));
  EXPECT_THAT(chunk.ReadAll(), StartsWith("HTTP/1.1 413 "));
  RawClient line(path_);
  line.Send("POST /v1/run HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(70'000, 'x'));
  EXPECT_THAT(line.ReadAll(), StartsWith("HTTP/1.1 4"));
}

TEST_F(ServerTest, DoesNotWaitForEverForARequest) {
  limits_.request_ms = 200;
  limits_.idle_ms = 300;
  Start(fake::Script{});
  RawClient slow(path_);
  slow.Send("POST /v1/run HTTP/1.1\r\nContent-Length: 5\r\n\r\n{");
  RawClient idle(path_);
  EXPECT_THAT(slow.ReadAll(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(idle.ReadAll(), IsEmpty());
}

TEST_F(ServerTest, RefusesMoreConnectionsThanItMayHave) {
  limits_.connections_max = 2;
  Start(fake::Script{});
  RawClient first(path_);
  {
    RawClient second(path_);
    second.Send("GET /v1/health HTTP/1.1\r\n\r\n");
    EXPECT_EQ(second.ReadAnswer().first, "HTTP/1.1 200 OK");
    RawClient third(path_);
    EXPECT_THAT(third.ReadAll(), StartsWith("HTTP/1.1 503 "));
  }
  const Deadline deadline = Deadline::After(20'000);
  for (;;) {
    RawClient again(path_);
    again.Send("GET /v1/health HTTP/1.1\r\n\r\n");
    if (again.ReadAnswer().first == "HTTP/1.1 200 OK") break;
    ASSERT_FALSE(deadline.Passed()) << "the place of one that is gone is free again";
  }
}

// A socket that is closed with unread bytes in it takes back what was written to it, or breaks the peer's
// pipe.
TEST_F(ServerTest, WhoeverIsTurnedAwayGetsToReadWhy) {
  limits_.connections_max = 1;
  Start(fake::Script{});
  RawClient first(path_);
  first.Send("GET /v1/health HTTP/1.1\r\n\r\n");
  ASSERT_EQ(first.ReadAnswer().first, "HTTP/1.1 200 OK");
  std::list<RawClient> others;
  // More than are told at one time: the others wait for their answer.
  for (int i = 0; i < 100; ++i) others.emplace_back(path_);
  const std::string long_body(std::size_t{1} << 20, ' ');
  for (RawClient& other : others) {
    other.Send(Post(long_body));
    const std::string answer = other.ReadAll();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
    other.HangUp();
  }
}

TEST_F(ServerTest, APeerThatHangsUpCancelsItsRun) {
  Start({.runs_for_ever = true});
  RawClient client(path_);
  client.Send(Post(kRunBody));
  ASSERT_TRUE(WaitForRuns(1));
  client.HangUp();
  EXPECT_TRUE(WaitForRuns(0));
}

TEST_F(ServerTest, APeerThatStopsSendingCancelsAndIsAnswered) {
  Start({.runs_for_ever = true});
  RawClient client(path_);
  client.Send(Post(kRunBody));
  ASSERT_TRUE(WaitForRuns(1));
  ::shutdown(client.fd(), SHUT_WR);
  EXPECT_EQ(DecodeResult(client.ReadAnswer().second)->status, Status::kCancelled);
  EXPECT_THAT(client.ReadAll(), IsEmpty());
}

TEST_F(ServerTest, APeerThatDoesNotReadHoldsUpNoDeadline) {
  Start({.stdout_text = Flood(), .runs_for_ever = true});
  RawClient client(path_);
  client.Send(Post(R"({"command":["p"],"limits":{"stdout_bytes_max":30000000,"wall_time_ms":300}})",
                   "Accept: application/x-ndjson\r\n"));
  ASSERT_TRUE(WaitForRuns(1));
  ::usleep(500'000);
  const std::string all = client.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(all.substr(all.size() - 10'000), HasSubstr("\"environment\":\"host\""));
  EXPECT_THAT(all, HasSubstr(R"("status":"timeout")"));
}

TEST_F(ServerTest, DrainLetsRunsEndAndTakesNoMore) {
  Start({.echoes_stdin = true, .runs_for_ever = true});
  RawClient idle(path_);
  idle.Send("GET /v1/health HTTP/1.1\r\n\r\n");
  EXPECT_THAT(idle.ReadAnswer().second, HasSubstr("\"status\":\"ok\""));
  RawClient busy(path_);
  busy.Send(Post(R"({"command":["p"],"limits":{"wall_time_ms":1500}})"));
  ASSERT_TRUE(WaitForRuns(1));
  BeginStop();
  EXPECT_THAT(idle.ReadAll(), IsEmpty()) << "it is closed";
  EXPECT_EQ(Connect(path_).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(DecodeResult(busy.ReadAnswer().second)->status, Status::kTimeout) << "by itself";
  thread_.join();
}

TEST_F(ServerTest, DrainCancelsWhatTakesTooLong) {
  drain_ms_ = 100;
  Start({.runs_for_ever = true});
  RawClient busy(path_);
  busy.Send(Post(kRunBody));
  ASSERT_TRUE(WaitForRuns(1));
  BeginStop();
  EXPECT_EQ(DecodeResult(busy.ReadAnswer().second)->status, Status::kCancelled);
  thread_.join();
}

TEST_F(ServerTest, ADrainingHandlerRefusesRuns) {
  Start(fake::Script{});
  handler_->BeginDrain();
  RawClient client(path_);
  client.Send(Post(kRunBody));
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 503 Service Unavailable");
  EXPECT_THAT(client.ReadAll(), IsEmpty());
}

}  // namespace
}  // namespace casemate::http
