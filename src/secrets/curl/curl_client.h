#pragma once

#include <memory>

#include "secrets/http/client.h"

namespace casemate::secrets {

// By libcurl: HTTP/1.1, TLS 1.2 or newer with verified certificates, proxies as http_proxy, https_proxy and
// no_proxy say, connections kept for the next request. One in a process.
std::unique_ptr<HttpClient> MakeCurlClient();

}  // namespace casemate::secrets
