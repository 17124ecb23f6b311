#include "engine/run_network.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/errno.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "egress/rules/allowlist.h"

namespace casemate {

// The sandbox below, watched together with its proxy.
class NetworkedSandbox : public Sandbox {
 public:
  NetworkedSandbox(std::unique_ptr<Sandbox> sandbox, RunNetwork& network, UniqueFd watched)
      : sandbox_(std::move(sandbox)), network_(network), watched_(std::move(watched)) {}

  int ChannelFd(Channel channel) const override { return sandbox_->ChannelFd(channel); }
  void CloseChannel(Channel channel) override { sandbox_->CloseChannel(channel); }
  bool writes_directly() const override { return sandbox_->writes_directly(); }
  std::string_view request_prefix() const override { return sandbox_->request_prefix(); }
  std::int64_t started_at_us() const override { return sandbox_->started_at_us(); }
  int exit_fd() const override { return sandbox_->exit_fd(); }
  ExitReport Exit() override { return sandbox_->Exit(); }
  void Kill() noexcept override { sandbox_->Kill(); }
  ResourceReading Read() override { return sandbox_->Read(); }
  ResourceReading ReadAtEnd() override { return sandbox_->ReadAtEnd(); }
  int denial_fd() const override { return watched_.get(); }
  Refusals TakeRefusals() override {
    Refusals refusals = sandbox_->TakeRefusals();
    for (Denial& denial : network_.Note(network_.proxy_->Take()))
      refusals.denials.push_back(std::move(denial));
    return refusals;
  }
  int egress_fd() const override { return sandbox_->egress_fd(); }
  Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted, std::int64_t bytes_max) override {
    return sandbox_->CollectFiles(wanted, bytes_max);
  }
  std::vector<Timing> StartTimings() const override { return sandbox_->StartTimings(); }

 private:
  std::unique_ptr<Sandbox> sandbox_;
  RunNetwork& network_;
  UniqueFd watched_;  // epoll(7): descriptors that are closed leave it by themselves
};

namespace {

// In both spellings; clients differ in which they read. There is nothing behind the loopback but the sandbox
// itself.
constexpr std::array<std::string_view, 3> kProxied = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"};
constexpr std::array<std::string_view, 3> kNotProxied = {"localhost", "127.0.0.1", "::1"};

constexpr std::uint16_t kHttpsPort = 443;
constexpr const char* kAuthorityFile = "egress-ca.pem";
constexpr std::size_t kBundleBytesMax = std::size_t{4} << 20;
// Debian and its kin, Fedora and its kin, Alpine.
constexpr std::array kBundles = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                 "/etc/ssl/cert.pem"};
// OpenSSL and so Python and Ruby; requests; curl; pip; git; Node.js; the AWS libraries.
constexpr std::array kAuthorityVariables = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",  "CURL_CA_BUNDLE",
                                            "PIP_CERT",      "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
                                            "AWS_CA_BUNDLE"};

void Set(LaunchSpec& spec, std::string name, const std::string& value) {
  spec.env.try_emplace(name, value);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  spec.env.try_emplace(std::move(name), value);
}

std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

bool IsFieldName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// HOST[:PORT][/HEADER].
std::string_view HeaderOf(std::string_view place) {
  const std::size_t slash = place.find('/');
  return slash == std::string_view::npos ? "Authorization" : place.substr(slash + 1);
}
std::optional<egress::Destination> HostOf(std::string_view place) {
  return egress::ParseAuthority(place.substr(0, place.find('/')), kHttpsPort);
}

std::string MakePlaceholder() {
  std::array<unsigned char, 20> bytes{};
  (void)!getrandom(bytes.data(), bytes.size(), 0);
  std::string text = "casemate_";
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

// Takes the brokered secrets out of `spec`; their placeholders become its variables.
std::vector<egress::BrokeredGrant> TakeGrants(const ExecutionRequest& request, LaunchSpec& spec) {
  std::vector<egress::BrokeredGrant> grants;
  for (const ResolvedSecret& secret : spec.secrets) {
    if (secret.mode != SecretMode::kBrokered) continue;
    const auto asked = std::ranges::find(request.secrets, secret.name, &SecretRequest::name);
    egress::BrokeredGrant& grant = grants.emplace_back();
    grant.name = secret.name;
    grant.placeholder = MakePlaceholder();
    for (const std::string& text : asked->hosts) {
      grant.places.push_back(fmt::format("{}/{}", HostOf(text)->ToString(), HeaderOf(text)));
    }
    grant.value = secret.value;
    spec.env[grant.name] = grant.placeholder;
  }
  std::erase_if(spec.secrets,
                [](const ResolvedSecret& secret) { return secret.mode == SecretMode::kBrokered; });
  return grants;
}

// The loopback's names, but for those that the allowlist means the host's own by.
std::string NotProxied(const NetworkPolicy& network) {
  std::string names;
  for (const std::string_view name : kNotProxied) {
    const bool allowed = std::ranges::any_of(network.allow, [name](const NetworkRule& rule) {
      std::string_view host = rule.destination;
      if (host.starts_with('[')) host.remove_prefix(1);
      const std::string_view behind = host.substr(std::min(name.size(), host.size()));
      return host.starts_with(name) && (behind.empty() || behind[0] == ':' || behind[0] == ']');
    });
    if (!allowed) names.append(names.empty() ? "" : ",").append(name);
  }
  return names;
}

// The authorities that the host trusts, and ours behind them, as a file of the run. Common clients are told
// of it.
Expected<void> AddAuthority(const std::string& certificate, LaunchSpec& spec) {
  std::string bundle;
  for (const char* const path : kBundles) {
    auto text = ReadFile(path, kBundleBytesMax);
    if (!text) continue;
    bundle = *std::move(text) + "\n";
    break;
  }
  auto value = SecretValue::Copy(bundle + certificate);
  if (!value) return std::unexpected(value.error());
  spec.secrets.push_back({kAuthorityFile, SecretMode::kFile,
                          std::make_shared<const SecretValue>(*std::move(value)), "the egress proxy"});
  for (const char* const name : kAuthorityVariables)
    spec.env.try_emplace(name, std::string("/run/secrets/") + kAuthorityFile);
  return {};
}

}  // namespace

Expected<void> CheckBrokered(const std::vector<SecretRequest>& secrets, const NetworkPolicy& network) {
  const auto allow = egress::Allowlist::Make(network);
  if (!allow) return std::unexpected(allow.error());
  for (const SecretRequest& secret : secrets) {
    if (secret.EffectiveMode() != SecretMode::kBrokered) continue;
    if (secret.hosts.empty()) {
      return Invalid(
          fmt::format("the secret {0} is to be brokered and names no host: write {0}@HOST=REFERENCE, or "
                      "\"hosts\"",
                      secret.name));
    }
    for (const std::string& text : secret.hosts) {
      const std::string_view header = HeaderOf(text);
      if (!IsFieldName(header)) {
        return Invalid(
            fmt::format("the header of the secret {} is no field name: write HOST/HEADER, as in "
                        "api.example.com/x-api-key",
                        secret.name));
      }
      const auto host = HostOf(text);
      if (!host || host->address) {
        return Invalid(
            fmt::format("the secret {} names a host that is none: write its name, and its port if that is "
                        "not 443",
                        secret.name));
      }
      if (const egress::Verdict asked = allow->MayAsk(*host); !asked) {
        return Invalid(fmt::format("the secret {} is for {}, which the network does not allow: {}",
                                   secret.name, host->ToString(), asked.remedy));
      }
    }
  }
  return {};
}

Expected<std::unique_ptr<RunNetwork>> RunNetwork::Start(const ExecutionRequest& request, LaunchSpec& spec) {
  const std::vector<egress::BrokeredGrant> grants = TakeGrants(request, spec);
  auto proxy = egress::EgressProxy::Start(spec.policy.network, grants);
  if (!proxy) return std::unexpected(proxy.error());
  const bool looks =
      !grants.empty() || std::ranges::any_of(spec.policy.network.allow, [](const NetworkRule& rule) {
        return !rule.methods.empty() || !rule.paths.empty();
      });
  if (looks) {
    auto certificate = (*proxy)->Certificate();
    if (!certificate) return std::unexpected(certificate.error());
    if (auto added = AddAuthority(*certificate, spec); !added) return std::unexpected(added.error());
  }
  const std::string address = fmt::format("http://127.0.0.1:{}", kEgressPort);
  for (const std::string_view name : kProxied) Set(spec, std::string(name), address);
  Set(spec, "NO_PROXY", NotProxied(spec.policy.network));
  // Node.js reads the others only then (from 22.21 and 24 on).
  spec.env.try_emplace("NODE_USE_ENV_PROXY", "1");
  return std::unique_ptr<RunNetwork>(new RunNetwork(*std::move(proxy)));
}

Expected<std::unique_ptr<Sandbox>> RunNetwork::Attach(std::unique_ptr<Sandbox> sandbox) {
  if (auto served = proxy_->Serve(sandbox->egress_fd()); !served) return std::unexpected(served.error());
  UniqueFd watched(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  bool added = watched.valid() && epoll_ctl(watched.get(), EPOLL_CTL_ADD, proxy_->fd(), &event) == 0;
  if (added && sandbox->denial_fd() >= 0)
    added = epoll_ctl(watched.get(), EPOLL_CTL_ADD, sandbox->denial_fd(), &event) == 0;
  if (!added) return FailErrno(ErrorCode::kInternal, "cannot watch the egress proxy", "epoll_ctl");
  return std::make_unique<NetworkedSandbox>(std::move(sandbox), *this, std::move(watched));
}

std::vector<Denial> RunNetwork::Note(std::vector<egress::ToldAttempt> told) {
  std::vector<Denial> denials;
  for (egress::ToldAttempt& one : told) {
    const NetworkAttempt& attempt = one.attempt;
    if (!attempt.allowed) {
      denials.push_back(
          {"network", attempt.destination, attempt.count, fmt::format("{}; {}", attempt.reason, one.remedy)});
    }
    const auto same = std::ranges::find_if(attempts_, [&attempt](const NetworkAttempt& known) {
      return known.destination == attempt.destination && known.address == attempt.address &&
             known.allowed == attempt.allowed && known.reason == attempt.reason;
    });
    if (same == attempts_.end()) {
      attempts_.push_back(attempt);
    } else {
      same->count += attempt.count;
      same->bytes_sent += attempt.bytes_sent;
      same->bytes_received += attempt.bytes_received;
    }
  }
  return denials;
}

void RunNetwork::Finish(Scrubber& scrubber, ExecutionResult& result) {
  bool died = false;
  for (Denial& denial : Note(proxy_->Finish(died))) {
    const auto same = std::ranges::find_if(result.denials, [&denial](const Denial& known) {
      return known.kind == denial.kind && known.what == denial.what;
    });
    if (same == result.denials.end()) {
      result.denials.push_back(std::move(denial));
    } else {
      same->count += denial.count;
    }
  }
  if (died) {
    result.denials.push_back(
        {"network", "egress proxy", 1,
         "The egress proxy ended before the program did, and with it the network; if this "
         "happens again, report it."});
  }
  result.network = std::move(attempts_);
  for (NetworkAttempt& attempt : result.network) {
    attempt.destination = scrubber.CleanText(attempt.destination, "network").text();
    attempt.reason = scrubber.CleanText(attempt.reason, "network").text();
  }
}

}  // namespace casemate
