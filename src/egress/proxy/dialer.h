#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "egress/proxy/journal.h"
#include "egress/proxy/settings.h"

namespace casemate::egress {

// Host names to addresses. Thread-safe.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // In the order in which to try them; empty when there are none.
  virtual std::vector<Address> Resolve(const std::string& name) = 0;
};

// The host's own way (getaddrinfo(3)).
class SystemResolver : public Resolver {
 public:
  std::vector<Address> Resolve(const std::string& name) override;
};

struct Dialed {
  UniqueFd fd;  // connected, not blocking
  Address address;
};

// Why there is no connection.
struct NoConnection {
  bool refused = false;  // by the allowlist; otherwise it could not be reached
  std::string reason;
  std::string remedy;
};

// Connects to what may be reached, and tells the journal. A name is resolved once, every address that this
// gives is checked, and the connection goes to one that was: what the name means a moment later is of no
// concern. Thread-safe.
class Dialer {
 public:
  Dialer(const ProxySettings& settings, Resolver& resolver, Journal& journal)
      : settings_(settings), resolver_(resolver), journal_(journal) {}

  std::optional<Dialed> Dial(const Destination& destination, NoConnection& why) const;

 private:
  std::vector<Address> Find(const Destination& destination) const;

  const ProxySettings& settings_;
  Resolver& resolver_;
  Journal& journal_;
};

}  // namespace casemate::egress
