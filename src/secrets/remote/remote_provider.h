#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "secrets/provider/provider.h"

namespace casemate::secrets {

// A process of our own that asks remote providers (src/secrets/helper/), so that this one loads no HTTP and
// TLS library, parses nothing that comes from afar, and holds no credentials. It is started by the first
// question, again when it has died, and ended with this object, which waits until it has given up leases and
// logins, for some seconds at most. Its environment holds what these providers read, and no more.
// Thread-safe.
class Helper {
 public:
  Helper();
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  Expected<Fetched> Ask(std::string_view scheme, std::string_view place, const Deadline& deadline);

 private:
  class Process;
  std::unique_ptr<Process> process_;
};

// What the engine's catalog knows of a provider that the helper has.
struct RemoteScheme {
  std::string_view scheme;
  std::string_view form;
  Expected<void> (*check)(std::string_view place);
};
std::unique_ptr<Provider> MakeRemoteProvider(const RemoteScheme& scheme, std::shared_ptr<Helper> helper);

}  // namespace casemate::secrets
