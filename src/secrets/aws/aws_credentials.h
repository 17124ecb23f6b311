#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "casemate/secret.h"
#include "secrets/aws/aws_profile.h"
#include "secrets/http/client.h"

namespace casemate::secrets {

struct AwsCredentials {
  std::string access_key;
  std::shared_ptr<const SecretValue> secret_key;
  std::shared_ptr<const SecretValue> session_token;  // null for long-lived keys
  std::int64_t until_us = INT64_MAX;                 // monotonic
};

// The chain of places that every AWS client looks at, in its order; the first that is set up is used, and its
// failure is an error:
//
//   1  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//   2  AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN
//   3  the profile: role_arn with source_profile, credential_source or web_identity_token_file; sso_session
//   or
//      sso_start_url (from the cache of `aws sso login`); aws_access_key_id; credential_process
//   4  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI
//   5  the instance's metadata service, with a token of its second version; not with
//      AWS_EC2_METADATA_DISABLED
//
// Thread-safe; what has an end is fetched again shortly before it.
class AwsCredentialChain {
 public:
  AwsCredentialChain(HttpClient& client, Variable variable)
      : client_(client), variable_(std::move(variable)) {}

  Expected<AwsCredentials> Get(const Deadline& deadline);
  // Forgets what it has: the service no longer takes it.
  void Forget();

 private:
  Expected<AwsCredentials> Find(const Deadline& deadline) const;
  Expected<std::optional<AwsCredentials>> FromEnvironment() const;
  Expected<std::optional<AwsCredentials>> FromProfile(const AwsProfiles& profiles, const std::string& profile,
                                                      int depth, const Deadline& deadline) const;
  Expected<std::optional<AwsCredentials>> FromNamedSource(const std::string& name, const std::string& profile,
                                                          const Deadline& deadline) const;
  static Expected<AwsCredentials> FromProcess(const std::string& command, const std::string& profile,
                                              const Deadline& deadline);
  Expected<AwsCredentials> FromWebIdentity(const std::string& file, const std::string& role,
                                           const std::string& region, const Deadline& deadline) const;
  Expected<AwsCredentials> FromRole(const AwsCredentials& source, const std::string& role,
                                    const AwsProfiles& profiles, const std::string& profile,
                                    const Deadline& deadline) const;
  Expected<AwsCredentials> FromSso(const AwsProfiles& profiles, const std::string& profile,
                                   const Deadline& deadline) const;
  Expected<std::optional<AwsCredentials>> FromContainer(const Deadline& deadline) const;
  Expected<AwsCredentials> FromInstance(const Deadline& deadline) const;
  Expected<AwsCredentials> AskSts(std::string body, const std::string& region, const AwsCredentials* signer,
                                  const Deadline& deadline) const;
  std::string Endpoint(const char* service, const std::string& usual) const;

  HttpClient& client_;
  const Variable variable_;
  std::mutex mutex_;
  std::optional<AwsCredentials> kept_;
};

// From their texts; `session_token` and `expiration` (ISO 8601, UTC) may be empty.
Expected<AwsCredentials> MakeAwsCredentials(const std::string& access_key, const std::string& secret_key,
                                            const std::string& session_token, const std::string& expiration);

// Seconds since 1970 of a time in ISO 8601, in UTC where it names no zone; unset when it is none.
std::optional<std::int64_t> AwsTime(const std::string& text);

// The words of a credential_process: blanks separate them, quotes and backslashes are a shell's, and nothing
// is expanded. kInvalidRequest when a quote is never closed, or there is no word.
Expected<std::vector<std::string>> SplitCommand(std::string_view text);

// The text of the first element `name` in an answer of STS; "" when there is none. Hostile bytes are
// harmless.
std::string XmlText(std::string_view xml, std::string_view name);

// The headers and the signature that `credentials` give to a request.
void SignWith(const AwsCredentials& credentials, const std::string& region, const std::string& service,
              HttpRequest& request, AwsSignature& signature);

}  // namespace casemate::secrets
