// The route table and what is served as its description are one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

#include "model/json.h"
#include "model/json_fields.h"
#include "surfaces/http/event_stream.h"
#include "surfaces/http/info_routes.h"
#include "surfaces/http/network_fixture.h"
#include "surfaces/http/target.h"
#include "surfaces/http/web_socket.h"

namespace casemate::http {
namespace {

using testing::ElementsAre;

class NoEngine : public Engine {
 public:
  ExecutionResult Execute(const ExecutionRequest& /*request*/, EventSink* /*sink*/, int /*cancel_fd*/,
                          CancelWhen /*cancel_when*/) override {
    return {};
  }
};

// "GET /path" and the name of its scope, "none" for those that are open.
std::set<std::string> Described() {
  std::set<std::string> described;
  const auto json = ParseJson(OpenApiText());
  EXPECT_TRUE(json) << json.error().message;
  const JsonTape tape(*json);
  (void)JsonField(tape, JsonTape::kRoot, "")
      .ForEachMember([&](const std::string& name, const JsonField& paths) {
        if (name != "paths") return Expected<void>();
        return paths.ForEachMember([&](const std::string& path, const JsonField& methods) {
          return methods.ForEachMember(
              [&](const std::string& method, const JsonField& operation) -> Expected<void> {
                std::string scope = "none";
                (void)operation.ForEachMember(
                    [&scope](const std::string& key, const JsonField& value) -> Expected<void> {
                      if (key != "description") return {};
                      const std::string text = *value.String();
                      const std::size_t begin = text.find('`') + 1;
                      scope = text.substr(begin, text.find('`', begin) - begin);
                      return {};
                    });
                std::string upper = method;
                for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
                described.insert(upper.append(" ").append(path).append(" ").append(scope));
                return {};
              });
        });
      });
  return described;
}

TEST(ApiTest, EveryRouteIsDescribedWithItsScope) {
  NoEngine engine;
  const Handler handler(engine, "1", [] { return std::string(); });
  std::set<std::string> routes;
  for (const Route& route : handler.router().routes()) {
    const std::string_view scope = route.scope == Scope::kNone ? "none" : ScopeName(route.scope);
    std::string path(route.pattern);
    if (const std::size_t dots = path.find("..."); dots != std::string::npos) path.erase(dots, 3);
    routes.insert(std::string(route.method).append(" ").append(path).append(" ").append(scope));
  }
  EXPECT_EQ(routes, Described());
}

TEST(ApiTest, PathsAreMatchedByTheirSegments) {
  EXPECT_THAT(*MatchPath("/v1/runs/{id}", "/v1/runs/a%20b"), ElementsAre("a b"));
  EXPECT_THAT(*MatchPath("/s/{id}/files/{path...}", "/s/1/files/a/b%2Fc"), ElementsAre("1", "a/b/c"));
  EXPECT_THAT(*MatchPath("/s/{id}/files/{path...}", "/s/1/files/"), ElementsAre("1", ""));
  for (const char* path :
       {"/v1/runs/", "/v1/runs/a/b", "/v1/runs/a%2Fb", "/v1/runs/%00", "/v1/runs/%4", "/v1/runs"}) {
    EXPECT_FALSE(MatchPath("/v1/runs/{id}", path)) << path;
  }
}

TEST(ApiTest, RoutesMayBeOfAHost) {
  Router router;
  router.Add({{"GET", "/", Scope::kNone, nullptr, "*.box.example"}, {"GET", "/", Scope::kRun, nullptr, ""}});
  std::vector<std::string> params;
  EXPECT_EQ(router.Find("GET", "/", "A1.box.example:8080", params)->scope, Scope::kNone);
  EXPECT_EQ(router.Find("GET", "/", "box.example", params)->scope, Scope::kRun);
  EXPECT_EQ(router.Find("GET", "/", "[::1]:80", params)->scope, Scope::kRun);
}

TEST(ApiTest, FieldsAreReadInAnyCase) {
  EXPECT_EQ(BearerToken("bEARER  abc "), "abc");
  EXPECT_EQ(BearerToken("Basic abc"), "");
  EXPECT_EQ(BearerToken("Bearer"), "");
  EXPECT_TRUE(ListHasToken("keep-alive, UPGRADE", "upgrade"));
  EXPECT_FALSE(ListHasToken("upgraded", "upgrade"));
  EXPECT_EQ(AcceptedForm("text/html, text/event-stream;q=0.9"), StreamForm::kServerSent);
  EXPECT_EQ(AcceptedForm("*/*"), std::nullopt);
}

TEST(ApiTest, AddressesAreReadAndNamesAreNot) {
  EXPECT_TRUE(ParseTcpAddress("localhost:80")->loopback);
  EXPECT_TRUE(ParseTcpAddress("8080")->loopback);
  EXPECT_TRUE(ParseTcpAddress("127.9.9.9:1")->loopback);
  EXPECT_TRUE(ParseTcpAddress("[::1]:80")->loopback);
  EXPECT_FALSE(ParseTcpAddress("0.0.0.0:80")->loopback);
  EXPECT_FALSE(ParseTcpAddress("[::]:80")->loopback);
  for (const char* text :
       {"", "example.org:80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:70000", "::1:80", "[::1]", "1.2.3:80"}) {
    EXPECT_FALSE(ParseTcpAddress(text)) << text;
  }
}

TEST(ApiTest, WebSocketKeysAreAnswered) {
  // The example of RFC 6455, 1.3.
  EXPECT_EQ(WsAccept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_FALSE(WsAccept("dGhlIHNhbXBsZSBub25j"));
}

TEST(ApiTest, WebSocketFramesAreReadAsTheyCome) {
  // "Hello", masked, of RFC 6455, 5.7.
  constexpr std::string_view kHello = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
  WsReader reader(100);
  reader.Feed(kHello.substr(0, 7));
  EXPECT_FALSE(reader.Next());
  reader.Feed(kHello.substr(7));
  EXPECT_EQ(reader.Next()->bytes, "Hello");
  EXPECT_EQ(reader.error(), 0);
  WsReader small(4);
  small.Feed(kHello);
  EXPECT_FALSE(small.Next());
  EXPECT_EQ(small.error(), 1009);
  EXPECT_EQ(WsFrame(WsMessage::Kind::kText, std::string(300, 'x')).substr(0, 4), "\x81\x7e\x01\x2c");
  EXPECT_EQ(WsClose(1000, ""), "\x88\x02\x03\xe8");
}

}  // namespace
}  // namespace casemate::http
