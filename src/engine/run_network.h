#pragma once

#include <memory>
#include <vector>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "casemate/network.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "egress/egress_proxy.h"
#include "engine/scrub.h"

namespace casemate {

// kInvalidRequest for a brokered secret that names no host, or one that `network` does not allow.
Expected<void> CheckBrokered(const std::vector<SecretRequest>& secrets, const NetworkPolicy& network);

// The network of one run that has one: its proxy, and what was asked of it. One run, one thread; outlives the
// sandbox that Attach() gives.
class RunNetwork {
 public:
  // Starts the proxy of `spec`, and gives `spec` what its program needs: the variables by which clients find
  // the proxy, but for those that the request sets by itself; a placeholder in the place of each brokered
  // secret, which is taken out of it; and the proxy's certificate authority, when it looks into TLS.
  static Expected<std::unique_ptr<RunNetwork>> Start(const ExecutionRequest& request, LaunchSpec& spec);
  // `sandbox` with the proxy behind its egress_fd(), and the proxy's refusals among its own.
  Expected<std::unique_ptr<Sandbox>> Attach(std::unique_ptr<Sandbox> sandbox);
  // To be called once the program has ended: ends the proxy, and puts what was asked for into `result`.
  // Denials that were not told before are at the end of its denials, not yet clean.
  void Finish(Scrubber& scrubber, ExecutionResult& result);

 private:
  explicit RunNetwork(std::unique_ptr<egress::EgressProxy> proxy) : proxy_(std::move(proxy)) {}
  friend class NetworkedSandbox;
  // Notes what was told; the refusals among it as denials.
  std::vector<Denial> Note(std::vector<egress::ToldAttempt> told);

  std::unique_ptr<egress::EgressProxy> proxy_;
  std::vector<NetworkAttempt> attempts_;
};

}  // namespace casemate
