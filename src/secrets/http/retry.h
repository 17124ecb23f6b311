#pragma once

#include <functional>

#include "secrets/http/client.h"

namespace casemate::secrets {

// Whether an answer asks to come again: 429 and what servers say in distress (500, 502, 503, 504).
bool AsksToComeAgain(const HttpResponse& response);

// Sends until the answer is final, four times at most and until `deadline`, each time after a random part of
// a growing pause, or after what the server's Retry-After says. `again` may ask for more than
// AsksToComeAgain. The last answer; an error is final.
using ComeAgain = std::function<bool(const HttpResponse&)>;
Expected<HttpResponse> SendPatiently(HttpClient& client, const HttpRequest& request, const Deadline& deadline,
                                     const ComeAgain& again = AsksToComeAgain);

}  // namespace casemate::secrets
