#include "casemate/redactor.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "model/json.h"
#include "redact/compiled_rules.h"
#include "redact/json_edit.h"
#include "redact/known_values.h"
#include "redact/rules/rule_file.h"
#include "redact/scanner.h"

namespace casemate {

class RedactedTextMaker {
 public:
  static RedactedText Make(std::string text) { return RedactedText(std::move(text)); }
  static RedactedJson MakeJson(JsonText json) { return RedactedJson(std::move(json)); }
  // What more is appended to.
  static std::string& Open(RedactedBytes& text) { return text.text_; }
};

namespace {

constexpr std::size_t kOwnRulesKept = 8;
constexpr std::string_view kKnownReplacement = "[REDACTED_SECRET]";

Expected<unsigned> ParseSets(std::string_view text) {
  if (text == "off") return kNoRules;
  if (text == "all") return kAllRules;
  unsigned sets = 0;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view name = rest.substr(0, comma);
    bool known = false;
    for (const RuleSets set : {kSecretRules, kPiiRules, kInternalRules}) {
      if (SetName(set) == name) sets |= set, known = true;
    }
    if (!known) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("there is no redaction set \"{}\": write secrets, pii, internal, several of them with "
                      "commas, all or off",
                      name));
    }
    if (comma == std::string_view::npos) return sets;
    rest.remove_prefix(comma + 1);
  }
}

// Counts by rule and place.
class Tally {
 public:
  Tally(const CompiledRules& rules, const KnownValues* known) : rules_(rules), known_(known) {}

  std::string_view ReplacementOf(int what) const {
    const auto index = static_cast<std::size_t>(what);
    return index < rules_.rules().size() ? rules_.rules()[index].replacement : kKnownReplacement;
  }
  void Count(int what, std::uint64_t offset, std::string_view where) {
    const std::string name = NameOf(what);
    const auto same = std::ranges::find_if(
        found_, [&](const Redaction& each) { return each.rule == name && each.where == where; });
    if (same != found_.end()) {
      ++same->count;
    } else {
      found_.push_back({name, std::string(where), 1, static_cast<std::int64_t>(offset)});
    }
  }
  const std::vector<Redaction>& found() const { return found_; }

 private:
  std::string NameOf(int what) const {
    const auto index = static_cast<std::size_t>(what);
    const std::size_t rules = rules_.rules().size();
    if (index < rules) return std::string(rules_.rules()[index].name);
    return "known:" + known_->NameOf(static_cast<std::uint32_t>(index - rules));
  }

  const CompiledRules& rules_;
  const KnownValues* known_;
  std::vector<Redaction> found_;
};

// Writes what stays, and a marker for what goes.
class TextSink : public ScanSink {
 public:
  TextSink(Tally& tally, std::string_view where, std::string& out)
      : tally_(tally), where_(where), out_(out) {}
  void Keep(std::string_view text) override { out_ += text; }
  void Drop(std::uint64_t begin, std::uint64_t /*end*/, int what) override {
    if (what < 0) return;
    out_ += tally_.ReplacementOf(what);
    tally_.Count(what, begin, where_);
  }

 private:
  Tally& tally_;
  std::string_view where_;
  std::string& out_;
};

// Notes what goes.
class CutSink : public ScanSink {
 public:
  CutSink(Tally& tally, std::string_view where, std::vector<JsonCut>& cuts)
      : tally_(tally), where_(where), cuts_(cuts) {}
  void Keep(std::string_view /*text*/) override {}
  void Drop(std::uint64_t begin, std::uint64_t end, int what) override {
    if (what < 0) {
      cuts_.back().end = static_cast<std::size_t>(end);
      return;
    }
    cuts_.push_back(
        {static_cast<std::size_t>(begin), static_cast<std::size_t>(end), tally_.ReplacementOf(what)});
    tally_.Count(what, begin, where_);
  }

 private:
  Tally& tally_;
  std::string_view where_;
  std::vector<JsonCut>& cuts_;
};

class OneStream : public StreamRedactor {
 public:
  OneStream(const CompiledRules& rules, const KnownValues* known, Tally& tally, std::string_view where)
      : scanner_(rules, known), tally_(tally), where_(where) {}
  void Feed(std::string_view bytes, RedactedBytes& out) override {
    TextSink sink(tally_, where_, RedactedTextMaker::Open(out));
    scanner_.Feed(bytes, sink);
  }
  void Finish(RedactedBytes& out) override {
    TextSink sink(tally_, where_, RedactedTextMaker::Open(out));
    scanner_.Finish(sink);
  }

 private:
  Scanner scanner_;
  Tally& tally_;
  std::string where_;
};

class RuleRedactor : public Redactor {
 public:
  RuleRedactor(std::shared_ptr<const CompiledRules> rules, std::shared_ptr<const KnownValues> known)
      : rules_(std::move(rules)), known_(std::move(known)), tally_(*rules_, known_.get()) {}

  RedactedText Text(std::string_view text, std::string_view where) override {
    std::string out;
    out.reserve(text.size());
    TextSink sink(tally_, where, out);
    Scanner scanner(*rules_, KnownOrNull());
    scanner.Feed(text, sink);
    scanner.Finish(sink);
    return RedactedTextMaker::Make(std::move(out));
  }

  RedactedJson Json(const JsonText& value, std::string_view where) override {
    return RedactedTextMaker::MakeJson(CleanJson(value, where));
  }

  std::unique_ptr<StreamRedactor> Stream(std::string_view where) override {
    return std::make_unique<OneStream>(*rules_, KnownOrNull(), tally_, where);
  }

  std::vector<Redaction> Redactions() const override { return tally_.found(); }

 private:
  JsonText CleanJson(const JsonText& value, std::string_view where) {
    std::vector<JsonCut> cuts;
    CutSink sink(tally_, where, cuts);
    Scanner scanner(*rules_, KnownOrNull());
    scanner.Feed(value.text(), sink);
    scanner.Finish(sink);
    if (cuts.empty()) return value;
    for (const bool number_keys : {false, true}) {
      const std::string text = CutJson(value.text(), cuts, number_keys);
      if (auto parsed = ParseJson(text, {text.size(), kJsonDepthCeiling})) return *std::move(parsed);
    }
    // Keys of the program's own can look like numbered ones: nothing of such a value leaves.
    return *ParseJson("\"[REDACTED]\"");
  }

  const KnownValues* KnownOrNull() const {
    return known_ != nullptr && !known_->empty() ? known_.get() : nullptr;
  }

  std::shared_ptr<const CompiledRules> rules_;
  std::shared_ptr<const KnownValues> known_;
  Tally tally_;
};

// Rules of one's own, ready to be used: a run asks for them again and again.
Expected<std::shared_ptr<const CompiledRules>> OwnRules(const RedactionRules& rules, unsigned sets) {
  struct Kept {
    RedactionRules rules;
    std::shared_ptr<const CompiledRules> compiled;
  };
  static std::mutex mutex;
  static std::vector<Kept> kept;  // the last used first
  const auto asked = [&rules](const Kept& each) {
    return each.rules.sets == rules.sets && each.rules.off == rules.off &&
           each.rules.own_toml == rules.own_toml;
  };
  const std::lock_guard lock(mutex);
  if (const auto same = std::ranges::find_if(kept, asked); same != kept.end()) {
    std::rotate(kept.begin(), same, same + 1);
    return kept.front().compiled;
  }
  std::string block;
  if (!rules.own_toml.empty()) {
    auto file = ReadRuleFile(rules.own_name, rules.own_toml);
    if (!file) return std::unexpected(std::move(file.error()));
    block = std::move(file->block);
  }
  auto compiled = CompiledRules::Make(std::move(block), sets, rules.off);
  if (!compiled) return compiled;
  if (kept.size() == kOwnRulesKept) kept.pop_back();
  kept.insert(kept.begin(), {rules, *compiled});
  return compiled;
}

}  // namespace

std::shared_ptr<const KnownValues> MakeKnownValues(std::span<const KnownSecret> known) {
  if (known.empty()) return nullptr;
  std::vector<KnownValue> values;
  for (const KnownSecret& secret : known) values.push_back({secret.name, secret.value});
  return std::make_shared<const KnownValues>(values);
}

Expected<std::unique_ptr<Redactor>> MakeRedactor(const RedactionRules& rules,
                                                 std::span<const KnownSecret> known) {
  return MakeArmedRedactor(rules, MakeKnownValues(known));
}

Expected<std::unique_ptr<Redactor>> MakeArmedRedactor(const RedactionRules& rules,
                                                      std::shared_ptr<const KnownValues> known) {
  const auto sets = ParseSets(rules.sets);
  if (!sets) return std::unexpected(sets.error());
  if (rules.off.empty() && rules.own_toml.empty()) {
    return std::make_unique<RuleRedactor>(CompiledRules::BuiltIn(*sets), std::move(known));
  }
  auto compiled = OwnRules(rules, *sets);
  if (!compiled) return std::unexpected(std::move(compiled.error()));
  return std::make_unique<RuleRedactor>(*std::move(compiled), std::move(known));
}

std::vector<RedactionRuleInfo> BuiltInRedactionRules() {
  std::vector<RedactionRuleInfo> infos;
  for (const Rule& rule : ReadRuleBlock(BuiltInRuleBlock())) {
    infos.push_back({rule.name, SetName(rule.set), KindName(rule.kind), rule.replacement});
  }
  return infos;
}

}  // namespace casemate
