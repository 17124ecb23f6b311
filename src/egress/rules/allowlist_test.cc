#include "egress/rules/allowlist.h"

#include <gmock/gmock.h>

namespace casemate::egress {
namespace {

using testing::HasSubstr;

Allowlist Make(std::vector<NetworkRule> rules) {
  auto list = Allowlist::Make({std::move(rules), {}, {}});
  EXPECT_TRUE(list.has_value()) << (list ? "" : list.error().message);
  return list ? *std::move(list) : Allowlist();
}
Allowlist Of(std::string destination) { return Make({{std::move(destination), {}, {}}}); }
std::string Refusal(std::string destination) {
  auto list = Allowlist::Make({{{std::move(destination), {}, {}}}, {}, {}});
  return list ? "" : list.error().message;
}
Destination To(std::string_view text) {
  const auto destination = ParseAuthority(text, 443);
  EXPECT_TRUE(destination.has_value()) << text;
  return destination.value_or(Destination{});
}
Address At(std::string_view text) { return Address::Parse(text).value_or(Address()); }

TEST(Allowlist, NamesAreWholeAndCaseIsNothing) {
  const Allowlist list = Of("API.Example.com.");
  EXPECT_TRUE(list.MayAsk(To("api.example.com")));
  EXPECT_TRUE(list.MayAsk(To("api.EXAMPLE.com.:80")));
  for (const char* other :
       {"example.com", "api.example.com.evil.example", "xapi.example.com", "a.api.example.com"})
    EXPECT_FALSE(list.MayAsk(To(other))) << other;
}

TEST(Allowlist, SuffixesAreLabels) {
  const Allowlist list = Of("*.example.com");
  EXPECT_TRUE(list.MayAsk(To("a.example.com")));
  EXPECT_TRUE(list.MayAsk(To("a.b.example.com")));
  EXPECT_FALSE(list.MayAsk(To("example.com")));
  EXPECT_FALSE(list.MayAsk(To("evilexample.com")));
}

TEST(Allowlist, PortsAreThoseOfHttpUnlessSaid) {
  const Allowlist list = Of("a.example");
  EXPECT_TRUE(list.MayAsk(To("a.example:80")));
  EXPECT_FALSE(list.MayAsk(To("a.example:22")));
  EXPECT_THAT(list.MayAsk(To("a.example:22")).reason, HasSubstr("port 22"));
  const Allowlist range = Of("a.example:8000-8080");
  EXPECT_TRUE(range.MayAsk(To("a.example:8000")));
  EXPECT_TRUE(range.MayAsk(To("a.example:8080")));
  EXPECT_FALSE(range.MayAsk(To("a.example:8081")));
  EXPECT_TRUE(Of("a.example:*").MayAsk(To("a.example:65535")));
}

TEST(Allowlist, AddressesAreNamedByThemselvesOrInARange) {
  const Allowlist list =
      Make({{"10.0.0.0/8:5432", {}, {}}, {"[2001:db8::/32]:443", {}, {}}, {"8.8.8.8", {}, {}}});
  EXPECT_TRUE(list.MayConnect(To("10.1.2.3:5432"), At("10.1.2.3")));
  EXPECT_FALSE(list.MayAsk(To("10.1.2.3:443")));
  EXPECT_FALSE(list.MayAsk(To("11.0.0.1:5432")));
  EXPECT_TRUE(list.MayConnect(To("[2001:db8::1]:443"), At("2001:db8::1")));
  EXPECT_TRUE(list.MayConnect(To("8.8.8.8"), At("8.8.8.8")));
  EXPECT_TRUE(Of("2001:db8::1").MayAsk(To("[2001:db8::1]:443")));
}

TEST(Allowlist, ANameLeadsToNoSpecialAddressThatIsNotNamedToo) {
  const Allowlist list = Of("a.example");
  EXPECT_TRUE(list.MayConnect(To("a.example"), At("93.184.216.34")));
  EXPECT_TRUE(list.MayConnect(To("a.example"), At("2606:2800:220:1::1")));
  for (const char* special : {"127.0.0.1",
                              "0.0.0.0",
                              "10.0.0.1",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.1.1",
                              "169.254.169.254",
                              "100.100.100.200",
                              "168.63.129.16",
                              "192.0.0.192",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::ffff:127.0.0.1",
                              "::ffff:0:127.0.0.1",
                              "::127.0.0.1",
                              "64:ff9b::7f00:1",
                              "64:ff9b:1::7f00:1",
                              "2002:7f00:1::",
                              "2001:0:7f00:1::",
                              "fe80::1",
                              "fd00:ec2::254",
                              "fec0::1",
                              "ff02::1",
                              "2001:db8::1",
                              "100::1"}) {
    const Verdict verdict = list.MayConnect(To("a.example"), At(special));
    EXPECT_FALSE(verdict) << special;
    EXPECT_THAT(verdict.remedy, HasSubstr("--network allow:a.example,"));
  }
  const Allowlist both = Make({{"a.example", {}, {}}, {"10.0.0.0/8", {}, {}}});
  EXPECT_TRUE(both.MayConnect(To("a.example"), At("10.0.0.1")));
  EXPECT_FALSE(both.MayConnect(To("a.example"), At("127.0.0.1")));
}

TEST(Allowlist, RequestsByMethodAndPath) {
  const Allowlist list = Make({{"a.example", {"GET", "HEAD"}, {"/v1/*", "/health"}}, {"b.example", {}, {}}});
  const auto may = [&list](std::string_view method, std::string_view target) {
    return list.MayRequest(To("a.example"), method, target).allowed;
  };
  EXPECT_TRUE(may("GET", "/v1/items?x=../.."));
  EXPECT_TRUE(may("HEAD", "/health"));
  EXPECT_FALSE(may("POST", "/v1/items"));
  EXPECT_FALSE(may("get", "/v1/items"));
  for (const char* path :
       {"/v2", "/health/", "/v1/../v2", "/v1/..", "/v1/./x", "//v1/x", "/v1/%2e%2e/v2", "/v1/%2E./x",
        "/v1/a%2fb", "/v1\\..\\v2", "/v1/..;/v2", "/v1/%252e%252e/", "v1/x", "*", ""})
    EXPECT_FALSE(may("GET", path)) << path;
  EXPECT_FALSE(list.AllowsAnyRequest(To("a.example")));
  EXPECT_TRUE(list.AllowsAnyRequest(To("b.example")));
  EXPECT_TRUE(list.MayRequest(To("b.example"), "BREW", "/../x"));
}

TEST(Allowlist, BadTextsSayWhatToDo) {
  EXPECT_THAT(Refusal("https://a.example/x"), HasSubstr("leave out the scheme and the path"));
  EXPECT_THAT(Refusal("*"), HasSubstr("is no destination"));
  EXPECT_THAT(Refusal("*.com"), HasSubstr("top-level domain"));
  EXPECT_THAT(Refusal("a.example:"), HasSubstr("leave out the colon"));
  EXPECT_THAT(Refusal("a.example:0"), HasSubstr("1 to 65535"));
  EXPECT_THAT(Refusal("a.example:90-80"), HasSubstr("1 to 65535"));
  for (const char* text :
       {"", "a b", "a..b", "-a.example", "a*.example", "*.*.example", "10.0.0.1/8", "10.0.0.0/33", "127.1",
        "0x7f000001", "2130706433", "[::1", "[::1]x", "[10.0.0.1", "::1%eth0", "a.example/"})
    EXPECT_THAT(Refusal(text), HasSubstr("is no destination")) << text;
  EXPECT_FALSE(Allowlist::Make({{{"a.example", {"get"}, {}}}, {}, {}}));
  EXPECT_FALSE(Allowlist::Make({{{"a.example", {}, {"v1"}}}, {}, {}}));
  EXPECT_FALSE(Allowlist::Make({{{"a.example", {}, {"/a/*/b"}}}, {}, {}}));
  EXPECT_FALSE(Allowlist::Make({{}, {{"a.example", {"x"}}}, {}}));
  EXPECT_FALSE(Allowlist::Make({{}, {}, {0, 1, 0}}));
  EXPECT_FALSE(Allowlist::Make({{}, {}, {1, 0, 0}}));
}

TEST(Destinations, AuthoritiesAreReadInOneWay) {
  EXPECT_EQ(ParseAuthority("A.Example:80", 0)->ToString(), "a.example:80");
  EXPECT_EQ(ParseAuthority("[::FFFF:10.0.0.1]:80", 0)->ToString(), "10.0.0.1:80");
  EXPECT_EQ(ParseAuthority("[2001:DB8:0::1]:80", 0)->ToString(), "[2001:db8::1]:80");
  EXPECT_EQ(ParseAuthority("a.example", 80)->port, 80);
  for (const char* text :
       {"a.example:", "a.example:080000", "a.example:+1", "a.example:65536", "a:b:80", ":80", "[]:80",
        "[a.example]:80", "[10.0.0.1]:80", "a.example:80 ", "1.2.3:80", "1.2.3.4.5:80", "0x1:80"})
    EXPECT_FALSE(ParseAuthority(text, 0)) << text;
  EXPECT_FALSE(ParseAuthority("a.example", 0));
}

TEST(Addresses, EveryLineOfTheTableIsRead) {
  for (const char* first :
       {"0.0.0.0",      "10.0.0.0",    "100.64.0.0",  "127.0.0.0",   "169.254.0.0", "168.63.129.16",
        "172.16.0.0",   "192.0.0.0",   "192.0.2.0",   "192.88.99.0", "192.168.0.0", "198.18.0.0",
        "198.51.100.0", "203.0.113.0", "224.0.0.0",   "240.0.0.0",   "::",          "::1",
        "::ffff:0:1:1", "64:ff9b::",   "64:ff9b:1::", "100::",       "2001::",      "2001:db8::",
        "2002::",       "3fff::",      "5f00::",      "fc00::",      "fe80::",      "fec0::",
        "ff00::"})
    EXPECT_FALSE(SpecialPurpose(At(first)).empty()) << first;
  EXPECT_EQ(SpecialPurpose(At("1.1.1.1")), "");
  EXPECT_EQ(SpecialPurpose(At("172.32.0.1")), "");
  EXPECT_EQ(SpecialPurpose(At("2606:4700::1111")), "");
}

}  // namespace
}  // namespace casemate::egress
