#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "casemate/error.h"

namespace casemate::secrets {

// A signature by AWS's rules, version 4.
struct AwsSignature {
  std::string region;
  std::string service;
  std::string access_key;
  std::string secret_key;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  // A PEM file of certificates to trust instead of the host's; "" for the host's.
  std::string ca_file;
  std::string ca_folder;
  // A PEM file each, for a server that asks who we are.
  std::string client_certificate;
  std::string client_key;
  // False for addresses of this machine or its cloud, which no proxy reaches.
  bool use_proxy = true;
  const AwsSignature* sign = nullptr;
};

// At most this of a body; a larger one is an error.
inline constexpr std::size_t kHttpBodyBytesMax = std::size_t{1} << 20;

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the last of each
  std::string body;
};

// Sends requests. Thread-safe. Bodies are plain strings: the process that does this zeroes what it frees.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Any status is an answer; a redirect is not followed. kUnavailable when there is none until `deadline`,
  // with a clause that fits behind the server's name ("cannot be reached; ...").
  virtual Expected<HttpResponse> Send(const HttpRequest& request, const Deadline& deadline) = 0;
};

}  // namespace casemate::secrets
