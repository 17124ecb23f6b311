// Theory of operation: all chains advance together, a round at a time. In a round each secret that has no
// value yet asks its next reference; those whose providers wait for others are asked side by side, each in a
// thread of its own, so that a round costs the slowest answer and not their sum.
#include "secrets/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "model/kept_secret.h"
#include "model/secret_reference.h"
#include "secrets/catalog.h"

namespace casemate::secrets {
namespace {

// A thread's stack and a connection each.
constexpr std::size_t kSideBySideMax = 32;

// A value with its time, or why there is none.
struct Answer {
  std::shared_ptr<const SecretValue> value;
  std::string missing;
};

// Values end with their time, also when nobody asks for them again: a thread sees to that, from the first
// value on.
class Cache {
 public:
  std::shared_ptr<const SecretValue> Find(std::string_view reference) {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(reference);
    return found != values_.end() && MonotonicUs() < found->second.until_us ? found->second.value : nullptr;
  }
  void Keep(std::string_view reference, const std::shared_ptr<const SecretValue>& value,
            std::int64_t ttl_ms) {
    const std::lock_guard lock(mutex_);
    // So many distinct ones at once are no use of a cache; locked memory is scarce.
    if (values_.size() >= kValuesMax) return;
    values_.insert_or_assign(std::string(reference), Kept{value, MonotonicUs() + ttl_ms * 1000});
    if (!ender_.joinable()) ender_ = std::jthread([this](const std::stop_token& stop) { End(stop); });
    changed_.notify_one();
  }

 private:
  static constexpr std::size_t kValuesMax = 256;
  static constexpr std::int64_t kHourUs = 3'600'000'000;
  struct Kept {
    std::shared_ptr<const SecretValue> value;
    std::int64_t until_us;
  };
  void End(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      const std::int64_t now = MonotonicUs();
      std::erase_if(values_, [now](const auto& entry) { return entry.second.until_us <= now; });
      std::int64_t next = now + kHourUs;
      for (const auto& [reference, kept] : values_) next = std::min(next, kept.until_us);
      changed_.wait_for(lock, stop, std::chrono::microseconds(next - now), [this, next] {
        return std::ranges::any_of(values_,
                                   [next](const auto& entry) { return entry.second.until_us < next; });
      });
    }
  }
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Kept, std::less<>> values_;
  std::jthread ender_;  // last: it ends before the rest
};

class Resolver : public SecretStore {
 public:
  Resolver(std::vector<std::unique_ptr<Provider>> providers, SecretOptions options)
      : providers_(std::move(providers)), options_(std::move(options)) {}

  Expected<void> Check(std::span<const SecretRequest> requests) const override {
    for (const SecretRequest& request : requests) {
      if (request.references.empty()) {
        return Fail(
            ErrorCode::kInvalidRequest,
            fmt::format("the secret {} has no reference: say where it is, as in env:NAME", request.name));
      }
      for (const std::string& reference : request.references) {
        if (auto checked = CheckOne(reference); !checked) {
          return Fail(checked.error().code,
                      fmt::format("the secret {}: {}", request.name, checked.error().message),
                      checked.error().cause);
        }
      }
    }
    return {};
  }

  Expected<std::vector<ResolvedSecret>> Resolve(std::span<const SecretRequest> requests) override {
    std::vector<Chain> chains;
    chains.reserve(requests.size());
    std::size_t kept = 0;
    for (const SecretRequest& request : requests) {
      Chain& chain = chains.emplace_back(&request, 0);
      chain.value = request.references.empty() ? nullptr : cache_.Find(request.references.front());
      // What is kept was well formed when it was asked for.
      if (!chain.value || request.references.size() > 1) {
        if (auto checked = Check({&request, 1}); !checked) return std::unexpected(checked.error());
      }
      if (!chain.value) continue;
      chain.next = 1;
      ++kept;
    }
    while (kept < chains.size()) {
      std::vector<Chain*> open;
      for (Chain& chain : chains) {
        if (!chain.value && chain.next < chain.request->references.size()) open.push_back(&chain);
      }
      if (open.empty()) break;
      if (auto asked = AskRound(open); !asked) return std::unexpected(asked.error());
    }
    std::vector<ResolvedSecret> all;
    all.reserve(chains.size());
    for (Chain& chain : chains) {
      if (!chain.value) {
        return Fail(ErrorCode::kNotFound, fmt::format("there is no value for the secret {}: {}",
                                                      chain.request->name, fmt::join(chain.missing, "; ")));
      }
      all.push_back({chain.request->name, chain.request->EffectiveMode(), std::move(chain.value),
                     chain.request->references[chain.next - 1]});
    }
    return all;
  }

  std::vector<std::string> Advise(std::span<const std::string> references) const override {
    std::vector<std::string> all;
    for (const std::string& text : references) {
      if (!CheckOne(text)) continue;
      const auto reference = ParseSecretReference(text);
      std::string advice = Find(reference->scheme)->Advise(reference->place);
      if (!advice.empty() && std::ranges::find(all, advice) == all.end()) all.push_back(std::move(advice));
    }
    return all;
  }

  std::vector<SecretFinding> Look(std::span<const std::string> references) override {
    std::vector<SecretFinding> findings(references.size());
    SideBySide(references.size(), [&](std::size_t i) {
      // What is no reference may be a secret in its place.
      findings[i].reference = ParseSecretReference(references[i]) ? references[i] : "(no reference)";
      auto checked = CheckOne(references[i]);
      auto answer = checked ? Ask(references[i]) : std::unexpected(checked.error());
      if (!answer) {
        findings[i].state = SecretFinding::State::kFailed;
        findings[i].detail = answer.error().ToString();
        return;
      }
      findings[i].state = answer->value ? SecretFinding::State::kFound : SecretFinding::State::kMissing;
      findings[i].detail = answer->missing;
    });
    return findings;
  }

  std::vector<std::string> Forms() const override {
    std::vector<std::string> forms;
    for (const auto& provider : providers_) forms.emplace_back(provider->form());
    return forms;
  }

 private:
  struct Chain {
    Chain(const SecretRequest* of, std::size_t first) : request(of), next(first) {}
    const SecretRequest* request;
    std::size_t next;
    std::shared_ptr<const SecretValue> value;
    std::vector<std::string> missing;
  };

  Provider* Find(std::string_view scheme) const {
    const auto found =
        std::ranges::find_if(providers_, [scheme](const auto& one) { return one->scheme() == scheme; });
    return found == providers_.end() ? nullptr : found->get();
  }

  Expected<void> CheckOne(std::string_view text) const {
    const auto reference = ParseSecretReference(text);
    if (!reference) return std::unexpected(reference.error());
    const Provider* provider = Find(reference->scheme);
    if (provider == nullptr) {
      return Fail(ErrorCode::kInvalidRequest, fmt::format("there is no provider {}: known are {}",
                                                          reference->scheme, fmt::join(Forms(), ", ")));
    }
    return provider->Check(reference->place);
  }

  // `text` has passed CheckOne().
  Expected<Answer> Ask(std::string_view text) {
    if (auto kept = cache_.Find(text)) return Answer{std::move(kept), ""};
    const auto reference = ParseSecretReference(text);
    Provider& provider = *Find(reference->scheme);
    auto fetched = provider.Fetch(reference->place, Deadline::After(options_.timeout_ms));
    if (!fetched) return std::unexpected(fetched.error());
    Answer answer{nullptr, std::move(fetched->missing)};
    if (!fetched->value) return answer;
    const auto wanted = options_.ttl_ms.find(std::string(reference->scheme));
    std::int64_t ttl_ms = fetched->ttl_ms;
    // A provider's own time is the longest that its value is good for; where it has none, the caller's is.
    if (wanted != options_.ttl_ms.end()) {
      ttl_ms = ttl_ms > 0 ? std::min(ttl_ms, wanted->second) : wanted->second;
    }
    if (ttl_ms <= 0) {
      answer.value = std::make_shared<const SecretValue>(*std::move(fetched->value));
      return answer;
    }
    answer.value = KeptSecret::Keep(*std::move(fetched->value));
    cache_.Keep(text, answer.value, ttl_ms);
    return answer;
  }

  bool Waits(std::string_view text) {
    const auto reference = ParseSecretReference(text);
    return reference && Find(reference->scheme) != nullptr && Find(reference->scheme)->waits();
  }

  Expected<void> AskRound(const std::vector<Chain*>& open) {
    std::vector<std::optional<Expected<Answer>>> answers(open.size());
    std::vector<std::size_t> waiting;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const std::string& reference = open[i]->request->references[open[i]->next];
      if (auto kept = cache_.Find(reference)) {
        answers[i] = Answer{std::move(kept), ""};
      } else if (Waits(reference)) {
        waiting.push_back(i);
      } else {
        answers[i] = Ask(reference);
      }
    }
    SideBySide(waiting.size(), [&](std::size_t n) {
      const Chain& chain = *open[waiting[n]];
      answers[waiting[n]] = Ask(chain.request->references[chain.next]);
    });
    for (std::size_t i = 0; i < open.size(); ++i) {
      Expected<Answer>& answer = *answers[i];
      Chain& chain = *open[i];
      if (!answer) {
        return Fail(
            answer.error().code,
            fmt::format("the secret {} cannot be had: {}", chain.request->name, answer.error().message),
            answer.error().cause);
      }
      ++chain.next;
      chain.value = std::move(answer->value);
      if (!chain.value) chain.missing.push_back(std::move(answer->missing));
    }
    return {};
  }

  template <typename Work>
  static void SideBySide(std::size_t count, const Work& work) {
    if (count == 0) return;
    std::vector<std::jthread> threads;
    for (std::size_t t = 1; t < std::min(count, kSideBySideMax); ++t) {
      threads.emplace_back([&work, t, count] {
        for (std::size_t i = t; i < count; i += kSideBySideMax) work(i);
      });
    }
    for (std::size_t i = 0; i < count; i += kSideBySideMax) work(i);
  }

  const std::vector<std::unique_ptr<Provider>> providers_;
  const SecretOptions options_;
  Cache cache_;
};

}  // namespace

std::unique_ptr<SecretStore> MakeStoreOf(std::vector<std::unique_ptr<Provider>> providers,
                                         const SecretOptions& options) {
  return std::make_unique<Resolver>(std::move(providers), options);
}

}  // namespace casemate::secrets

namespace casemate {

std::unique_ptr<SecretStore> MakeSecretStore(const SecretOptions& options) {
  return secrets::MakeStoreOf(secrets::MakeProviders(), options);
}

}  // namespace casemate
