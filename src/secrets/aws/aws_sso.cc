#include "secrets/aws/aws_sso.h"

#include <fmt/format.h>

#include <array>
#include <boost/json/serialize.hpp>
#include <ctime>

#include "base/file.h"
#include "secrets/aws/aws_credentials.h"
#include "secrets/http/json_body.h"
#include "secrets/http/retry.h"

namespace casemate::secrets {
namespace {

namespace json = boost::json;

// So long before its end every AWS client asks for a new one.
constexpr std::int64_t kEarlyS = 15 * 60;

std::string UtcTime(std::int64_t time_s) {
  const std::time_t time = time_s;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

}  // namespace

std::int64_t SsoEnd(const SsoLogin& login) { return AwsTime(TextAt(login.cache, "expiresAt")).value_or(0); }

bool IsRefreshable(const SsoLogin& login, std::int64_t now_s) {
  if (SsoEnd(login) - now_s > kEarlyS || TextAt(login.cache, "refreshToken").empty()) return false;
  // The client that asked for the login must still be known there.
  return !TextAt(login.cache, "clientId").empty() && !TextAt(login.cache, "clientSecret").empty() &&
         AwsTime(TextAt(login.cache, "registrationExpiresAt")).value_or(0) > now_s;
}

Expected<void> RefreshSso(HttpClient& client, const std::string& endpoint, const std::string& ca_file,
                          const Deadline& deadline, SsoLogin& login) {
  const json::value asked = {{"clientId", TextAt(login.cache, "clientId")},
                             {"clientSecret", TextAt(login.cache, "clientSecret")},
                             {"grantType", "refresh_token"},
                             {"refreshToken", TextAt(login.cache, "refreshToken")}};
  HttpRequest request;
  request.method = "POST";
  request.url = endpoint + "/token";
  request.headers = {"Content-Type: application/json"};
  request.body = json::serialize(asked);
  request.ca_file = ca_file;
  const auto response = SendPatiently(client, request, deadline);
  if (!response) return std::unexpected(response.error());
  const auto body = response->status == 200 ? ParseBody(response->body) : json::value(nullptr);
  const std::string token = body ? TextAt(*body, "accessToken") : "";
  const std::int64_t lasts_s = body ? NumberAt(*body, "expiresIn") : 0;
  if (token.empty() || lasts_s <= 0)
    return Fail(ErrorCode::kUnavailable, "it gives no new token", fmt::format("status {}", response->status));
  json::object& cache = login.cache.as_object();
  cache["accessToken"] = token;
  cache["expiresAt"] = UtcTime(std::time(nullptr) + lasts_s);
  if (const std::string next = TextAt(*body, "refreshToken"); !next.empty()) cache["refreshToken"] = next;
  return WriteFileAtomically(login.path, json::serialize(login.cache) + "\n", 0600);
}

}  // namespace casemate::secrets
