#include "secrets/curl/curl_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace casemate::secrets {
namespace {

using testing::HasSubstr;

// Takes one request on a port of this machine, and gives one answer.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
    port_ = ntohs(name.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] { Serve(answer); });
  }
  ~OneAnswer() { thread_.join(); }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  const std::string& request() {
    thread_.join();
    thread_ = std::thread([] {});
    return request_;
  }

 private:
  void Serve(const std::string& answer) {
    const UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 4096> buffer{};
    std::size_t wanted = std::string::npos;
    while (request_.size() < wanted) {
      const ssize_t count = read(connection.get(), buffer.data(), buffer.size());
      if (count <= 0) return;
      request_.append(buffer.data(), static_cast<std::size_t>(count));
      const std::size_t end = request_.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const std::size_t length = request_.find("Content-Length: ");
      wanted = end + 4 + (length == std::string::npos ? 0 : std::stoul(request_.substr(length + 16)));
    }
    EXPECT_EQ(write(connection.get(), answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
  }

  UniqueFd listener_;
  int port_ = 0;
  std::string request_;
  std::thread thread_;
};

constexpr const char* kEmpty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

// AWS's published examples of version 4 signatures: their keys, date, region and service.
struct Example {
  const char* name;
  const char* method;
  std::vector<std::string> headers;
  const char* body;
  const char* signature;
};

TEST(CurlClientTest, SignsAwsExamples) {
  const auto client = MakeCurlClient();
  const AwsSignature sign{"us-east-1", "service", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
  const std::string form = "Content-Type: application/x-www-form-urlencoded";
  const Example examples[] = {
      // NOLINT(modernize-avoid-c-arrays): its size is its list's
      {"get-vanilla", "GET", {}, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"post-vanilla", "POST", {}, "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"post-x-www-form-urlencoded",
       "POST",
       {form},
       "Param1=value1",
       "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
  };
  for (const Example& example : examples) {
    OneAnswer server(kEmpty);
    HttpRequest request;
    request.method = example.method;
    request.url = server.Url();
    request.headers = example.headers;
    request.headers.emplace_back("Host: example.amazonaws.com");
    request.headers.emplace_back("X-Amz-Date: 20150830T123600Z");
    request.body = example.body;
    request.sign = &sign;
    ASSERT_TRUE(client->Send(request, Deadline::After(20'000))) << example.name;
    EXPECT_THAT(server.request(), HasSubstr(std::string("Signature=") + example.signature)) << example.name;
  }
}

TEST(CurlClientTest, GivesStatusHeadersAndBody) {
  OneAnswer server("HTTP/1.1 418 Teapot\r\nRetry-After:  7\r\nContent-Length: 5\r\n\r\nhello");
  const auto response = MakeCurlClient()->Send({.url = server.Url()}, Deadline::After(20'000));
  ASSERT_TRUE(response) << response.error().ToString();
  EXPECT_EQ(response->status, 418);
  EXPECT_EQ(response->headers.at("retry-after"), "7");
  EXPECT_EQ(response->body, "hello");
}

TEST(CurlClientTest, SaysWhatToDo) {
  const auto client = MakeCurlClient();
  const auto refused = client->Send({.url = "http://127.0.0.1:1/"}, Deadline::After(20'000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("cannot be reached"));
  EXPECT_THAT(client->Send({.url = "file:///etc/passwd"}, Deadline::After(20'000)).error().message,
              HasSubstr("no address of http"));
  EXPECT_THAT(client->Send({.url = "http://127.0.0.1:1/"}, Deadline::After(0)).error().message,
              HasSubstr("does not answer in time"));
}

}  // namespace
}  // namespace casemate::secrets
