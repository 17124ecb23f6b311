#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "casemate/network.h"
#include "casemate/secret.h"
#include "egress/rules/wire.h"

namespace casemate::egress {

// A secret that the proxy puts into requests.
struct BrokeredGrant {
  std::string name;
  std::string placeholder;
  std::vector<std::string> places;  // HOST:PORT/HEADER
  std::shared_ptr<const SecretValue> value;
};

// The proxy of one run, in a process of its own (src/egress/helper/): it reads what a hostile program sends
// and what hostile servers answer, so it holds nothing but this run's policy, and little power. One owner,
// one thread.
class EgressProxy {
 public:
  // Starts the process. Returns before it is ready: clients wait in the listener's queue. kInvalidRequest for
  // a policy that is none.
  static Expected<std::unique_ptr<EgressProxy>> Start(const NetworkPolicy& network,
                                                      const std::vector<BrokeredGrant>& secrets);
  // Ends the process, whatever it does.
  ~EgressProxy();
  EgressProxy(const EgressProxy&) = delete;
  EgressProxy& operator=(const EgressProxy&) = delete;

  // The certificate (PEM) of the authority with which it looks into TLS; empty when it looks into none. Waits
  // until it is there. To be called at most once, before Serve().
  Expected<std::string> Certificate();
  // The socket on which clients come (Sandbox::egress_fd()); a copy of it goes to the process.
  Expected<void> Serve(int listener);
  // Readable when Take() has something; -1 once the process has gone.
  int fd() const { return control_.get(); }
  // What was told since, without waiting.
  std::vector<ToldAttempt> Take();
  // Lets it note what is open, waits for its end, for a second at most, and takes the rest. `died` says
  // whether it had gone before by itself.
  std::vector<ToldAttempt> Finish(bool& died);

 private:
  EgressProxy() = default;
  // False when nothing waits or nothing more comes.
  bool TakeOne(std::vector<ToldAttempt>& all);

  UniqueFd control_;
  int pid_ = -1;
  bool finished_ = false;  // it said so
};

}  // namespace casemate::egress
