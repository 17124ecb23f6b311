#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "casemate/error.h"
#include "secrets/http/client.h"

namespace casemate::secrets {

// What `aws sso login` has left for an sso-session, in a file that it shares with every AWS client.
struct SsoLogin {
  std::string path;
  boost::json::value cache;  // accessToken, expiresAt, and of a session refreshToken, clientId, clientSecret
};

// Whether the login can be made new without its person, and is at its end or near it.
bool IsRefreshable(const SsoLogin& login, std::int64_t now_s);
// Seconds since 1970; 0 when it does not say.
std::int64_t SsoEnd(const SsoLogin& login);

// A new access token by the refresh token (CreateToken of the OIDC service at `endpoint`), noted in the file:
// a refresh token is good for one use. `login` has it then, too. kUnavailable without a word of the answer.
Expected<void> RefreshSso(HttpClient& client, const std::string& endpoint, const std::string& ca_file,
                          const Deadline& deadline, SsoLogin& login);

}  // namespace casemate::secrets
