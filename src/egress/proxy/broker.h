#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "casemate/secret.h"
#include "egress/rules/destination.h"

namespace casemate::egress {

// A secret that the proxy has and the program has not.
struct BrokeredSecret {
  std::string name;
  std::string placeholder;  // what the program has in its place
  struct Place {
    Destination host;    // where it may go, by TLS
    std::string header;  // in which field of a request
  };
  std::vector<Place> places;
  SecretValue value;
};

// Puts secrets into requests. Immutable once made, and so thread-safe.
class Broker {
 public:
  explicit Broker(std::vector<BrokeredSecret> secrets) : secrets_(std::move(secrets)) {}

  bool empty() const { return secrets_.empty(); }
  // Whether some secret may go there, so that its requests have to be seen.
  bool Covers(const Destination& to) const;
  // `value` of the field `name` of a request to `to` as it goes on. A placeholder is replaced where it may
  // be, also inside the base64 of `Authorization: Basic`. `stray` becomes the name of a secret whose
  // placeholder stands where it may not.
  std::string Replace(std::string_view name, std::string_view value, const Destination& to, bool secure,
                      std::string& stray) const;
  // The name of a secret whose placeholder is in `text`; empty when there is none.
  std::string FindIn(std::string_view text) const;
  std::size_t longest() const;  // placeholder, in bytes

 private:
  std::vector<BrokeredSecret> secrets_;
};

}  // namespace casemate::egress
