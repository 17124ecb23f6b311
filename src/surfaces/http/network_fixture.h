#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include "surfaces/http/server_fixture.h"

namespace casemate::http {

// A server that listens at a free port of 127.0.0.1 too, whose peers need keys.
class NetworkFixture : public ServerFixture {
 protected:
  void StartNetwork(fake::Script script, HandlerOptions options = {}) {
    options.state_dir = folder_;
    options_ = std::move(options);
    auto tcp = TcpListener::Open(*ParseTcpAddress("127.0.0.1:0"));
    ASSERT_TRUE(tcp) << tcp.error().message;
    name_ = tcp->name();
    tcp_.emplace(*std::move(tcp));
    Start(std::move(script));
  }

  // A new key's text.
  std::string Key(std::string_view scopes, const KeyQuota& quota = {}) {
    auto made = MakeKey("test", *ParseScopes(scopes), quota, 1);
    EXPECT_TRUE(KeyStore(folder_).Add(made->key));
    last_id_ = made->key.id;
    return made->text;
  }

  // A peer at the TCP address.
  RawClient Tcp() const {
    const auto address = ParseTcpAddress(name_);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(address->port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    return RawClient(std::move(fd));
  }

  // The status line and the body that the one request gets.
  std::pair<std::string, std::string> Ask(const std::string& request) const {
    RawClient client = Tcp();
    client.Send(request);
    return client.ReadAnswer();
  }
  static std::string Authorized(const std::string& key) { return "Authorization: Bearer " + key + "\r\n"; }

  std::string last_id_;
};

inline std::string Get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + std::string(fields) + "\r\n";
}

}  // namespace casemate::http
