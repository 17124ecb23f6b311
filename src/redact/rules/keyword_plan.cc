#include "redact/rules/keyword_plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace casemate {
namespace {

// How often a byte comes in ten thousand bytes of logs, programs, tables and prose, roughly; the rest is
// rare.
constexpr std::array<double, 256> MakeFrequencies() {
  std::array<double, 256> all{};
  for (double& each : all) each = 1;
  constexpr std::string_view kBytes = " etaoinsrldcumphfgbywvkxjqz0123456789.-_/:,=\"'()\n";
  constexpr std::array<int, kBytes.size()> kCounts = {
      1250, 700, 550, 500, 450, 450, 450, 420, 420, 280, 280, 240, 200, 200, 200, 180, 150,
      130,  100, 90,  80,  70,  60,  40,  20,  10,  10,  240, 240, 220, 160, 150, 150, 140,
      130,  130, 130, 140, 120, 120, 140, 120, 120, 60,  140, 60,  60,  60,  140};
  for (std::size_t i = 0; i < kBytes.size(); ++i) all[static_cast<unsigned char>(kBytes[i])] = kCounts[i];
  for (unsigned c = 'A'; c <= 'Z'; ++c) all[c] = 25;
  for (double& each : all) each /= 11000;
  return all;
}
constexpr std::array<double, 256> kFrequencies = MakeFrequencies();

double FrequencyOf(char c, bool any_case) {
  const auto byte = static_cast<unsigned char>(c);
  return any_case ? kFrequencies[byte | 0x20U] + kFrequencies[byte & 0xDFU] : kFrequencies[byte];
}

// The halves of the bytes that a table lets through at each place.
struct Group {
  std::array<unsigned, kKeywordGram> low{};
  std::array<unsigned, kKeywordGram> high{};

  double Share() const {
    double share = 1;
    for (std::size_t i = 0; i < kKeywordGram; ++i) {
      double sum = 0;
      for (unsigned byte = 0; byte < 256; ++byte) {
        if ((low[i] >> (byte & 15U) & high[i] >> (byte >> 4U) & 1U) != 0) sum += kFrequencies[byte];
      }
      share *= sum;
    }
    return share;
  }
};

struct Gram {
  Keyword* keyword;
  bool any_case;

  void AddTo(Group& group) const {
    for (std::size_t i = 0; i < kKeywordGram; ++i) {
      const std::size_t at = keyword->offset + i;
      if (at >= keyword->text.size()) {
        group.low[i] = group.high[i] = 0xFFFF;
        continue;
      }
      const auto byte = static_cast<unsigned char>(keyword->text[at]);
      for (const unsigned each : {unsigned{byte}, any_case ? byte ^ 0x20U : unsigned{byte}}) {
        group.low[i] |= 1U << (each & 15U);
        group.high[i] |= 1U << (each >> 4U);
      }
    }
  }
};

void ChooseOffset(Keyword& keyword, bool any_case) {
  double best = 2;
  for (std::size_t at = 0; at + std::min(kKeywordGram, keyword.text.size()) <= keyword.text.size(); ++at) {
    double share = 1;
    for (const char c : keyword.text.substr(at, kKeywordGram)) share *= FrequencyOf(c, any_case);
    if (share >= best) continue;
    best = share;
    keyword.offset = static_cast<std::uint8_t>(at);
  }
}

// Grams that share a table.
struct Cluster {
  Group group;
  double share = 0;
  std::vector<const Gram*> grams;
};

double Harm(const Cluster& one, const Cluster& other) {
  Group both = one.group;
  for (std::size_t i = 0; i < kKeywordGram; ++i) {
    both.low[i] |= other.group.low[i];
    both.high[i] |= other.group.high[i];
  }
  return both.Share() - one.share - other.share;
}

// Each gram by itself at first; then, again and again, the two that lose least by it become one.
std::vector<Cluster> MergeClusters(std::vector<Cluster> clusters, std::size_t groups) {
  std::vector<std::vector<double>> harm(clusters.size(), std::vector<double>(clusters.size()));
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) harm[i][j] = Harm(clusters[i], clusters[j]);
  }
  std::vector<std::size_t> live(clusters.size());
  for (std::size_t i = 0; i < live.size(); ++i) live[i] = i;
  while (live.size() > groups) {
    std::size_t best_i = 1;
    std::size_t best_j = 0;
    for (std::size_t i = 1; i < live.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (harm[live[i]][live[j]] < harm[live[best_i]][live[best_j]]) best_i = i, best_j = j;
      }
    }
    Cluster& kept = clusters[live[best_j]];
    const Cluster& gone = clusters[live[best_i]];
    for (std::size_t k = 0; k < kKeywordGram; ++k) {
      kept.group.low[k] |= gone.group.low[k];
      kept.group.high[k] |= gone.group.high[k];
    }
    kept.share = kept.group.Share();
    kept.grams.insert(kept.grams.end(), gone.grams.begin(), gone.grams.end());
    const std::size_t merged = live[best_j];
    live.erase(live.begin() + static_cast<std::ptrdiff_t>(best_i));
    for (const std::size_t other : live) {
      if (other != merged)
        harm[std::max(other, merged)][std::min(other, merged)] = Harm(clusters[other], clusters[merged]);
    }
  }
  std::vector<Cluster> left;
  for (const std::size_t i : live) left.push_back(std::move(clusters[i]));
  return left;
}

}  // namespace

bool IgnoresCase(const Rule& rule) { return rule.ignore_case || rule.kind == RuleKind::kIpv6; }

void PlanKeywords(std::vector<Rule>& rules) {
  std::vector<Gram> grams;
  for (Rule& rule : rules) {
    for (Keyword& keyword : rule.keywords) {
      ChooseOffset(keyword, IgnoresCase(rule));
      grams.push_back({&keyword, IgnoresCase(rule)});
    }
  }
  // Equal ones go together from the start.
  std::map<std::pair<std::string_view, bool>, Cluster> same;
  for (const Gram& gram : grams) {
    Cluster& cluster = same[{gram.keyword->text.substr(gram.keyword->offset, kKeywordGram), gram.any_case}];
    gram.AddTo(cluster.group);
    cluster.share = cluster.group.Share();
    cluster.grams.push_back(&gram);
  }
  std::vector<Cluster> clusters;
  for (auto& [text, cluster] : same) clusters.push_back(std::move(cluster));
  clusters = MergeClusters(std::move(clusters), kKeywordGroups);
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    for (const Gram* gram : clusters[i].grams) gram->keyword->group = static_cast<std::uint8_t>(i);
  }
}

}  // namespace casemate
