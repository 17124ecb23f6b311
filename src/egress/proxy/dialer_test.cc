#include "egress/proxy/dialer.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace casemate::egress {
namespace {

using testing::HasSubstr;

// Listens on 127.0.0.1.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_.get(), 8), 0);
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

// Gives another answer each time: what a name server does that wants to pass a check with one address and be
// connected to at another.
class Rebinding : public Resolver {
 public:
  explicit Rebinding(std::vector<std::vector<std::string>> answers) : answers_(std::move(answers)) {}
  std::vector<Address> Resolve(const std::string& name) override {
    asked.push_back(name);
    std::vector<Address> addresses;
    for (const std::string& text : answers_[std::min(asked.size(), answers_.size()) - 1])
      addresses.push_back(*Address::Parse(text));
    return addresses;
  }
  std::vector<std::string> asked;

 private:
  std::vector<std::vector<std::string>> answers_;
};

struct Fixture {
  explicit Fixture(const NetworkPolicy& network, std::vector<std::vector<std::string>> answers)
      : settings{*Allowlist::Make(network), network.limits, {1000, 1000, 1000, 1000}},
        resolver(std::move(answers)),
        journal([this](const ToldAttempt& entry) { told.push_back(entry); }),
        dialer(settings, resolver, journal) {}
  std::optional<Dialed> Dial(const std::string& host, std::uint16_t port) {
    return dialer.Dial(*MakeDestination(host, port), why);
  }
  std::vector<ToldAttempt> told;
  ProxySettings settings;
  Rebinding resolver;
  Journal journal;
  Dialer dialer;
  NoConnection why;
};

TEST(DialerTest, ConnectsToTheAddressThatWasChecked) {
  const Listener listener;
  const std::string port = std::to_string(listener.port());
  Fixture fixture({{{"a.example:" + port, {}, {}}, {"127.0.0.1:" + port, {}, {}}}, {}, {}},
                  {{"127.0.0.1"}, {"127.0.0.2"}});
  const auto dialed = fixture.Dial("a.example", listener.port());
  ASSERT_TRUE(dialed);
  EXPECT_EQ(dialed->address.ToString(), "127.0.0.1");
  EXPECT_THAT(fixture.resolver.asked, testing::ElementsAre("a.example"));
  // And the second answer is judged for itself.
  EXPECT_FALSE(fixture.Dial("a.example", listener.port()));
  EXPECT_TRUE(fixture.why.refused);
  EXPECT_THAT(fixture.why.reason, HasSubstr("127.0.0.2, which is this host's loopback"));
}

TEST(DialerTest, OfManyAddressesTheForbiddenAreLeftOut) {
  const Listener listener;
  const std::string port = std::to_string(listener.port());
  Fixture fixture({{{"a.example:" + port, {}, {}}, {"127.0.0.1:" + port, {}, {}}}, {}, {}},
                  {{"127.0.0.9", "169.254.169.254", "127.0.0.1"}});
  const auto dialed = fixture.Dial("a.example", listener.port());
  ASSERT_TRUE(dialed);
  EXPECT_EQ(dialed->address.ToString(), "127.0.0.1");
}

TEST(DialerTest, ANameThatIsNotAllowedIsNotLookedUp) {
  Fixture fixture({{{"a.example", {}, {}}}, {}, {}}, {{"93.184.216.34"}});
  EXPECT_FALSE(fixture.Dial("b.example", 443));
  EXPECT_TRUE(fixture.resolver.asked.empty());
  ASSERT_EQ(fixture.told.size(), 1U);
  EXPECT_EQ(fixture.told[0].attempt.destination, "b.example:443");
  EXPECT_FALSE(fixture.told[0].attempt.allowed);
  EXPECT_THAT(fixture.told[0].remedy, HasSubstr("add b.example"));
}

TEST(DialerTest, AddressesOfThePolicyAreNotAskedFor) {
  Fixture fixture({{{"a.example", {}, {}}}, {{"A.Example.", {"10.0.0.1"}}}, {}}, {{"93.184.216.34"}});
  EXPECT_FALSE(fixture.Dial("a.example", 443));
  EXPECT_TRUE(fixture.why.refused);
  EXPECT_TRUE(fixture.resolver.asked.empty());
}

TEST(DialerTest, WhatCannotBeReachedIsNoDenial) {
  std::uint16_t port = 0;
  {
    const Listener gone;
    port = gone.port();
  }
  Fixture fixture({{{"127.0.0.1:" + std::to_string(port), {}, {}}, {"none.example", {}, {}}}, {}, {}}, {{}});
  EXPECT_FALSE(fixture.Dial("127.0.0.1", port));
  EXPECT_FALSE(fixture.why.refused);
  EXPECT_THAT(fixture.why.reason, HasSubstr("ECONNREFUSED"));
  EXPECT_FALSE(fixture.Dial("none.example", 443));
  EXPECT_EQ(fixture.why.reason, "the name is not known");
  fixture.journal.Flush();
  ASSERT_EQ(fixture.told.size(), 2U);
  EXPECT_TRUE(fixture.told[0].attempt.allowed);
}

TEST(JournalTest, EachCountIsToldOnce) {
  std::vector<ToldAttempt> told;
  Journal journal([&told](const ToldAttempt& entry) { told.push_back(entry); });
  for (int i = 0; i < 3; ++i) journal.Refused("a.example:1", {false, "why", "what"});
  ASSERT_EQ(told.size(), 1U);
  journal.Flush();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].attempt.count + told[1].attempt.count, 3);
  journal.Flush();
  EXPECT_EQ(told.size(), 2U);
  for (std::size_t i = 0; i < 2 * Journal::kDistinctMax; ++i)
    journal.Refused("h" + std::to_string(i) + ".example:1", {false, "why", "what"});
  EXPECT_LE(told.size(), Journal::kDistinctMax + 4);
  EXPECT_EQ(told.back().attempt.destination, "other destinations");
}

}  // namespace
}  // namespace casemate::egress
