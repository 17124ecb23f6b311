#include "egress/proxy/broker.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>

#include "model/base64.h"

namespace casemate::egress {
namespace {

constexpr std::string_view kBasic = "Basic ";

bool SameText(std::string_view one, std::string_view other) {
  return boost::beast::iequals(boost::beast::string_view(one.data(), one.size()),
                               boost::beast::string_view(other.data(), other.size()));
}

bool MayGo(const BrokeredSecret& secret, std::string_view name, const Destination& to, bool secure) {
  return secure && std::ranges::any_of(secret.places, [&](const BrokeredSecret::Place& place) {
           return place.host.ToString() == to.ToString() && SameText(name, place.header);
         });
}

}  // namespace

bool Broker::Covers(const Destination& to) const {
  return std::ranges::any_of(secrets_, [&to](const BrokeredSecret& secret) {
    return std::ranges::any_of(secret.places, [&to](const BrokeredSecret::Place& place) {
      return place.host.ToString() == to.ToString();
    });
  });
}

std::string Broker::Replace(std::string_view name, std::string_view value, const Destination& to, bool secure,
                            std::string& stray) const {
  std::string text(value);
  const bool basic = SameText(name, "Authorization") && SameText(value.substr(0, kBasic.size()), kBasic);
  if (basic) {
    auto decoded = DecodeBase64(value.substr(kBasic.size()));
    if (!decoded) return text;
    text = *std::move(decoded);
  }
  bool replaced = false;
  for (const BrokeredSecret& secret : secrets_) {
    for (std::size_t at = text.find(secret.placeholder); at != std::string::npos;
         at = text.find(secret.placeholder, at + secret.value.size())) {
      if (!MayGo(secret, name, to, secure)) {
        stray = secret.name;
        return std::string(value);
      }
      text.replace(at, secret.placeholder.size(), secret.value.Reveal());
      replaced = true;
    }
  }
  if (!replaced) return std::string(value);
  return basic ? std::string(kBasic) + EncodeBase64(text) : text;
}

std::string Broker::FindIn(std::string_view text) const {
  for (const BrokeredSecret& secret : secrets_) {
    if (text.contains(secret.placeholder)) return secret.name;
  }
  return {};
}

std::size_t Broker::longest() const {
  std::size_t longest = 0;
  for (const BrokeredSecret& secret : secrets_) longest = std::max(longest, secret.placeholder.size());
  return longest;
}

}  // namespace casemate::egress
