// Runs one request object of stdin through the library and prints its result object: what a C++ program sees.
#include <unistd.h>

#include <cstdio>

#include "base/file.h"
#include "casemate/engine.h"
#include "model/request_json.h"
#include "model/result_json.h"

int main() {
  const auto text = casemate::ReadAll(STDIN_FILENO, casemate::kRequestBytesMax, "stdin");
  if (!text) return 2;
  const auto request = casemate::DecodeRequest(*text);
  const auto engine = casemate::MakeEngine({});
  if (!request || !engine) {
    std::fputs((request ? engine.error() : request.error()).ToString().c_str(), stderr);
    return 2;
  }
  const std::string result = casemate::EncodeResult((*engine)->Execute(*request));
  return std::fwrite(result.data(), 1, result.size(), stdout) == result.size() ? 0 : 2;
}
