#include <fmt/format.h>

#include "casemate/network.h"

namespace casemate {

Expected<NetworkPolicy> ParseNetworkText(std::string_view text) {
  constexpr std::string_view kAllow = "allow:";
  NetworkPolicy network;
  if (text == "none") return network;
  if (!text.starts_with(kAllow)) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("the network is \"none\" or a list of what may be reached, as in "
                            "\"allow:api.example.com,*.example.org:8443\", and not \"{}\"",
                            text.substr(0, 100)));
  }
  text.remove_prefix(kAllow.size());
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view destination = text.substr(0, comma);
    if (destination.empty()) {
      return Fail(ErrorCode::kInvalidRequest,
                  "a destination is missing: write allow:HOST[:PORT], with a comma between two");
    }
    network.allow.push_back({std::string(destination), {}, {}});
    if (comma == std::string_view::npos) return network;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace casemate
