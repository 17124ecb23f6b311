// What a peer that comes over a network may do, and what it is told.
#include <gmock/gmock.h>

#include "base/file.h"
#include "model/result_json.h"
#include "surfaces/http/network_fixture.h"

namespace casemate::http {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using NetworkTest = NetworkFixture;

TEST_F(NetworkTest, AKeyIsNeeded) {
  StartNetwork({.stdout_text = "hello"});
  const std::string key = Key("run");
  EXPECT_EQ(Ask(Post(kRunBody)).first, "HTTP/1.1 401 Unauthorized");
  const auto [status, body] = Ask(Post(kRunBody, Authorized(key)));
  EXPECT_EQ(status, "HTTP/1.1 200 OK");
  EXPECT_EQ(DecodeResult(body)->stdout_text, "hello");
  EXPECT_EQ(Ask(Get("/healthz")).first, "HTTP/1.1 200 OK") << "who watches over it needs none";
  RawClient local(path_);
  local.Send(Post(kRunBody));
  EXPECT_EQ(local.ReadAnswer().first, "HTTP/1.1 200 OK") << "nor does its own user";
}

TEST_F(NetworkTest, AWrongKeyIsToldSoAsAProblem) {
  StartNetwork(fake::Script{});
  std::string key = Key("run");
  key.back() = key.back() == 'A' ? 'B' : 'A';
  RawClient client = Tcp();
  client.Send(Post(kRunBody, Authorized(key)));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"),
              AllOf(HasSubstr("WWW-Authenticate: Bearer realm=\"casemate\"\r\n"),
                    HasSubstr("Content-Type: application/problem+json\r\n")));
  EXPECT_THAT(client.ReadUntil("\n"),
              AllOf(HasSubstr(R"("type":"urn:casemate:problem:unauthorized")"), HasSubstr(R"("status":401)"),
                    HasSubstr("revoked or expired"), Not(HasSubstr(key))));
}

TEST_F(NetworkTest, ARevokedKeyIsRefusedFromTheNextRequestOn) {
  StartNetwork(fake::Script{});
  const std::string key = Key("run");
  RawClient client = Tcp();
  client.Send(Post(kRunBody, Authorized(key)));
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 200 OK");
  ASSERT_TRUE(KeyStore(folder_).Revoke(last_id_, 2));
  client.Send(Post(kRunBody, Authorized(key)));
  EXPECT_EQ(client.ReadAnswer().first, "HTTP/1.1 401 Unauthorized");
}

TEST_F(NetworkTest, ABrokenKeyFileLetsNobodyIn) {
  StartNetwork(fake::Script{});
  const std::string key = Key("run");
  ASSERT_TRUE(WriteFileAtomically(KeyStore(folder_).path(), "{", 0600));
  EXPECT_EQ(Ask(Post(kRunBody, Authorized(key))).first, "HTTP/1.1 503 Service Unavailable");
}

TEST_F(NetworkTest, AScopeThatIsMissingIsNamed) {
  StartNetwork(fake::Script{});
  const auto health = Ask(Get("/v1/health", Authorized(Key("run,batch"))));
  EXPECT_EQ(health.first, "HTTP/1.1 403 Forbidden");
  EXPECT_THAT(health.second, HasSubstr("lacks the scope metrics"));
  EXPECT_EQ(Ask(Get("/v1/health", Authorized(Key("metrics")))).first, "HTTP/1.1 200 OK");
  EXPECT_EQ(Ask(Get("/v1/health", Authorized(Key("admin")))).first, "HTTP/1.1 200 OK");
}

TEST_F(NetworkTest, TheHostsFoldersAndSecretsNeedTheirScopes) {
  StartNetwork(fake::Script{});
  const std::string run = Authorized(Key("run"));
  const std::string workspace = R"({"command":["p"],"workspace":{"path":"/etc","mode":"ro"}})";
  const std::string mounts = R"({"command":["p"],"mounts":[{"path":"/etc","inside":"/data"}]})";
  const std::string secrets = R"({"command":["p"],"secrets":{"A":"env:HOME"}})";
  EXPECT_THAT(Ask(Post(workspace, run)).second, HasSubstr("the scope host"));
  EXPECT_THAT(Ask(Post(secrets, run)).second, HasSubstr("the scope secrets"));
  EXPECT_THAT(Ask(Post(mounts, run)).first, AnyOf("HTTP/1.1 403 Forbidden", "HTTP/1.1 400 Bad Request"));
  EXPECT_EQ(Ask(Post(workspace, Authorized(Key("run,host")))).first, "HTTP/1.1 200 OK");
}

TEST_F(NetworkTest, ARateIsKeptAndTheWaitIsTold) {
  StartNetwork(fake::Script{});
  const std::string key = Authorized(Key("run", {.per_minute = 1, .burst = 2}));
  EXPECT_EQ(Ask(Post(kRunBody, key)).first, "HTTP/1.1 200 OK");
  EXPECT_EQ(Ask(Post(kRunBody, key)).first, "HTTP/1.1 200 OK");
  RawClient client = Tcp();
  client.Send(Post(kRunBody, key));
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
  EXPECT_THAT(head, AnyOf(HasSubstr("Retry-After: 60\r\n"), HasSubstr("Retry-After: 59\r\n")));
  EXPECT_EQ(Ask(Post(kRunBody, Authorized(Key("run")))).first, "HTTP/1.1 200 OK") << "others go on";
}

TEST_F(NetworkTest, AKeyHasItsRunsADay) {
  StartNetwork(fake::Script{});
  const std::string key = Authorized(Key("run", {.runs_per_day = 1}));
  EXPECT_EQ(Ask(Post(kRunBody, key)).first, "HTTP/1.1 200 OK");
  EXPECT_EQ(Ask(Post(kRunBody, key)).first, "HTTP/1.1 429 Too Many Requests");
  EXPECT_EQ(Ask(Get("/v1/runs", key)).first, "HTTP/1.1 200 OK") << "what is no run goes on";
}

TEST_F(NetworkTest, AKeyHasSoManyRequestsAtOneTime) {
  StartNetwork({.runs_for_ever = true});
  const std::string key = Authorized(Key("run", {.concurrent = 1}));
  RawClient first = Tcp();
  first.Send(Post(kRunBody, key));
  ASSERT_TRUE(WaitForRuns(1));
  EXPECT_EQ(Ask(Post(kRunBody, key)).first, "HTTP/1.1 429 Too Many Requests");
  first.HangUp();
  ASSERT_TRUE(WaitForRuns(0));
}

TEST_F(NetworkTest, WhoWaitsTooLongForAPlaceIsToldToComeBack) {
  StartNetwork({.runs_for_ever = true}, {.runs = {.running_max = 1, .wait_ms = 200}});
  const std::string key = Authorized(Key("run"));
  RawClient first = Tcp();
  first.Send(Post(kRunBody, key));
  ASSERT_TRUE(WaitForRuns(1));
  RawClient second = Tcp();
  second.Send(Post(kRunBody, key));
  EXPECT_THAT(second.ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1\r\n")));
  first.HangUp();
  ASSERT_TRUE(WaitForRuns(0));
}

TEST_F(NetworkTest, StreamsEventsForBrowsers) {
  StartNetwork({.stdout_text = "hello\n"});
  RawClient client = Tcp();
  client.Send(Post(kRunBody, Authorized(Key("run")) + "Accept: text/event-stream\r\n"));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
  const std::string all = client.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(all, HasSubstr("event: started\ndata: {\"event\":\"started\""));
  EXPECT_THAT(all, HasSubstr("event: stdout\ndata: {\"event\":\"stdout\",\"text\":\"hello\\n\"}\n\n"));
  EXPECT_THAT(all, HasSubstr("event: finished\ndata: "));
}

TEST_F(NetworkTest, ARunIsEndedByItsIdAndByItsOwnersAlone) {
  StartNetwork({.runs_for_ever = true});
  const std::string key = Authorized(Key("run"));
  RawClient client = Tcp();
  client.Send(Post(kRunBody, key + "Accept: application/x-ndjson\r\n"));
  const std::string started = client.ReadUntil("\"}\n");
  const std::size_t place = started.find("run-");
  ASSERT_NE(place, std::string::npos) << started;
  const std::string id = started.substr(place, started.find('"', place) - place);
  EXPECT_THAT(Ask(Get("/v1/runs", key)).second, HasSubstr(id));
  const std::string end = "DELETE /v1/runs/" + id + " HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(Ask(end + Authorized(Key("run")) + "\r\n").first, "HTTP/1.1 404 Not Found");
  EXPECT_THAT(Ask(Get("/v1/runs", Authorized(Key("run")))).second, Not(HasSubstr(id)));
  RawClient ender = Tcp();
  ender.Send(end + key + "\r\n");
  EXPECT_THAT(ender.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(client.ReadAll(), HasSubstr("\"status\":\"cancelled\""));
  EXPECT_TRUE(WaitForRuns(0));
}

TEST_F(NetworkTest, AmbiguousRequestsAreRefusedAndTheirConnectionEnds) {
  StartNetwork({.stdout_text = "smuggled"});
  const std::string key = Authorized(Key("admin"));
  const std::string second = "GET /v1/health HTTP/1.1\r\nHost: x\r\n" + key + "\r\n";
  const std::string length = std::to_string(second.size());
  const std::string post = "POST /v1/run HTTP/1.1\r\nHost: x\r\n" + key;
  for (const std::string& request : {
           post + "Content-Length: " + length + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
           post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + second,
           post + "Content-Length: 0\r\nContent-Length: " + length + "\r\n\r\n" + second,
           post + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + second,
           post + "Content-Length: 0, 0\r\n\r\n" + second,
           post + "Content-Length: +0\r\n\r\n" + second,
           post + "Content-Length: 0x0\r\n\r\n" + second,
           post + "Content-Length : 0\r\n\r\n" + second,
           post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + second,
           post + "Transfer-Encoding: identity\r\n\r\n" + second,
           post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + second,
           post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
           post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + second,
           post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n" + second,
           post + "Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n" + second,
           post + "Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n" + second,
           post + "Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n" + second,
           std::string("GET /v1/health HTTP/1.1\nHost: x\n\n") + second,
           post + "X: a\nContent-Length: 0\r\n\r\n" + second,
           post + "X: a\rContent-Length: 0\r\n\r\n" + second,
           post + std::string("X: a\0b\r\n\r\n", 10) + second,
           "POST /v1/run HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + second,
           "POST /v1/run HTTP/1.1\r\n\r\n" + second,
           "POST /v1/run HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
           "POST /v1/run HTTP/1.1\r\n Host: x\r\n\r\n" + second,
           "GET  /v1/health HTTP/1.1\r\nHost: x\r\n\r\n" + second,
       }) {
    RawClient client = Tcp();
    client.Send(request);
    const std::string all = client.ReadAll();
    EXPECT_THAT(all, StartsWith("HTTP/1.1 400 ")) << request;
    EXPECT_THAT(all, Not(HasSubstr("\"version\":\"9.9\""))) << "a second request was read out of " << request;
  }
}

TEST_F(NetworkTest, ASlowPeerLosesItsPlace) {
  limits_.header_ms = 200;
  limits_.request_ms = 400;
  StartNetwork(fake::Script{});
  RawClient silent = Tcp();
  silent.Send("G");
  EXPECT_THAT(silent.ReadAll(), StartsWith("HTTP/1.1 408 "));
  RawClient dripping = Tcp();
  const std::string fields = "POST /v1/run HTTP/1.1\r\nHost: x\r\nX: " + std::string(1000, 'x');
  const Deadline deadline = Deadline::After(20'000);
  std::size_t sent = 0;
  for (; sent < fields.size() && !deadline.Passed(); ++sent) {
    dripping.Send(fields.substr(sent, 1));
    ::usleep(5000);
    char byte = 0;
    if (::recv(dripping.fd(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0) break;
  }
  EXPECT_LT(sent, fields.size()) << "each byte in time is not enough";
}

TEST_F(NetworkTest, NetworkPeersDoNotKeepTheHostsUserOut) {
  limits_.connections_max = 1;
  StartNetwork(fake::Script{});
  RawClient first = Tcp();
  first.Send(Get("/healthz"));
  EXPECT_EQ(first.ReadAnswer().first, "HTTP/1.1 200 OK");
  RawClient second = Tcp();
  EXPECT_THAT(second.ReadAll(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1\r\n")));
  RawClient local(path_);
  local.Send(Get("/v1/health"));
  EXPECT_EQ(local.ReadAnswer().first, "HTTP/1.1 200 OK");
}

TEST_F(NetworkTest, PagesReadAnswersOnlyWhenTold) {
  StartNetwork(fake::Script{}, {.cors_origins = {"https://app.example.org"}});
  const std::string ask =
      "OPTIONS /v1/run HTTP/1.1\r\nHost: x\r\nAccess-Control-Request-Method: POST\r\nOrigin: ";
  RawClient client = Tcp();
  client.Send(ask + "https://app.example.org\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 204 "),
                    HasSubstr("Access-Control-Allow-Origin: https://app.example.org\r\n"),
                    HasSubstr("Access-Control-Allow-Methods: POST, GET, HEAD\r\n")));
  client.Send(ask + "https://evil.example.org\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), Not(HasSubstr("Allow-Origin")));
}

TEST_F(NetworkTest, WithoutKeysPagesAndRebuiltNamesAreKeptOut) {
  StartNetwork(fake::Script{}, {.let_in_without_key = true});
  EXPECT_EQ(Ask(Get("/v1/health")).first, "HTTP/1.1 200 OK");
  EXPECT_EQ(Ask(Get("/v1/health", "Origin: https://evil.example.org\r\n")).first, "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(Ask("GET /v1/health HTTP/1.1\r\nHost: evil.example.org\r\n\r\n").first, "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(Ask(Get("/v1/health", "Authorization: Bearer x\r\n")).first, "HTTP/1.1 401 Unauthorized")
      << "a key that is given must be right";
}

}  // namespace
}  // namespace casemate::http
