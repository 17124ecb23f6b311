#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "secrets/http/client.h"

namespace casemate::secrets {

// For tests: gives answers in their order, and keeps what was asked. No answer left is a server that is gone.
class ScriptedClient : public HttpClient {
 public:
  explicit ScriptedClient(std::deque<HttpResponse> answers) : answers_(std::move(answers)) {}
  Expected<HttpResponse> Send(const HttpRequest& request, const Deadline& /*deadline*/) override {
    asked.push_back(request);
    if (answers_.empty()) return Fail(ErrorCode::kUnavailable, "cannot be reached");
    HttpResponse answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }
  std::vector<HttpRequest> asked;

 private:
  std::deque<HttpResponse> answers_;
};

}  // namespace casemate::secrets
