#include "redact/prefilter.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace casemate {
namespace {

constexpr std::size_t kGroupsOfQuarter = 8;
constexpr unsigned kSetBits = 16;

// One bit makes letters equal whatever their case; other bytes may fall together, which only costs a check.
constexpr unsigned char Fold(char c) { return static_cast<unsigned char>(c) | 0x20U; }

std::uint64_t GramOf(const char* text, std::size_t length) {
  std::uint64_t gram = 0;
  for (std::size_t i = 0; i < length; ++i) gram |= std::uint64_t{Fold(text[i])} << 8 * i;
  return gram | std::uint64_t{length} << 32U;
}

constexpr std::uint64_t HashOf(std::uint64_t gram) { return gram * 0x9E3779B97F4A7C15U >> (64 - kSetBits); }

}  // namespace

Prefilter::Prefilter(const std::vector<Entry>& keywords) : set_((1U << kSetBits) / 64) {
  for (std::uint32_t i = 0; i < keywords.size(); ++i) {
    std::string& folded = folded_.emplace_back(keywords[i].keyword.text);
    for (char& c : folded) c = static_cast<char>(Fold(c));
    sorted_.push_back(i);
    longest_ = std::max(longest_, folded.size());
    AddGram(keywords[i], i);
  }
  std::ranges::sort(sorted_, {}, [this](std::uint32_t i) { return std::string_view(folded_[i]); });
  std::ranges::sort(grams_, {}, &Gram::bytes);
}

void Prefilter::AddGram(const Entry& entry, std::uint32_t index) {
  const std::string_view text = entry.keyword.text.substr(entry.keyword.offset, kKeywordGram);
  const std::uint64_t gram = GramOf(text.data(), text.size());
  grams_.push_back({gram, index, entry.keyword.offset});
  has_length_[text.size()] = true;
  set_[HashOf(gram) / 64] |= std::uint64_t{1} << HashOf(gram) % 64;
  const std::size_t quarter = entry.keyword.group / kGroupsOfQuarter;
  const auto bit = static_cast<std::uint8_t>(1U << entry.keyword.group % kGroupsOfQuarter);
  auto& whole = whole_[quarter];
  const auto let_through = [&](std::size_t place, unsigned byte) {
    low_[quarter][place][byte & 15U] |= bit;
    high_[quarter][place][byte >> 4U] |= bit;
    whole[place][byte & 127U] |= bit;
  };
  for (std::size_t i = 0; i < kKeywordGram; ++i) {
    if (i >= text.size()) {
      for (unsigned nibble = 0; nibble < 16; ++nibble) let_through(i, nibble * 17);
      for (std::uint8_t& groups : whole[i]) groups |= bit;
      continue;
    }
    const unsigned byte = static_cast<unsigned char>(text[i]);
    let_through(i, byte);
    if (entry.any_case) let_through(i, byte ^ 0x20U);
  }
}

// Whether the four bytes at `text` are, or begin with, what is looked for, but for collisions.
inline bool Prefilter::MayStand(const char* text) const {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, text, sizeof bytes);
  bytes |= 0x20202020U;
  const auto in_set = [this](std::uint64_t gram) {
    return (set_[HashOf(gram) / 64] >> HashOf(gram) % 64 & 1U) != 0;
  };
  for (std::uint64_t length = kKeywordGram; length > 0; --length) {
    if (!has_length_[length]) continue;
    const std::uint64_t some = length == kKeywordGram ? bytes : bytes & ((1U << 8 * length) - 1);
    if (in_set(some | length << 32U)) return true;
  }
  return false;
}

void Prefilter::Check(std::string_view text, std::size_t from, std::size_t at, std::vector<Hit>& hits) const {
  const auto matches = [&text, from](std::size_t begin, const std::string& keyword) {
    if (begin < from || begin + keyword.size() > text.size()) return false;
    for (std::size_t i = 0; i < keyword.size(); ++i) {
      if (Fold(text[begin + i]) != static_cast<unsigned char>(keyword[i])) return false;
    }
    return true;
  };
  for (std::size_t length = kKeywordGram; length > 0; --length) {
    if (!has_length_[length] || at + length > text.size()) continue;
    const std::uint64_t gram = GramOf(text.data() + at, length);
    if ((set_[HashOf(gram) / 64] >> HashOf(gram) % 64 & 1U) == 0) continue;
    for (auto entry = std::ranges::lower_bound(grams_, gram, {}, &Gram::bytes);
         entry != grams_.end() && entry->bytes == gram; ++entry) {
      if (at >= entry->offset && matches(at - entry->offset, folded_[entry->keyword])) {
        hits.push_back({at - entry->offset, entry->keyword});
      }
    }
  }
}

void Prefilter::FindScalar(std::string_view text, std::size_t from, std::size_t begin,
                           std::vector<Hit>& hits) const {
  for (std::size_t at = begin; at < text.size(); ++at) Check(text, from, at, hits);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void Prefilter::FindAvx2(std::string_view text, std::size_t from,
                                                         std::vector<Hit>& hits) const {
  constexpr std::size_t kLanes = 32;
  __m256i low[kQuarters][kKeywordGram];
  __m256i high[kQuarters][kKeywordGram];
  for (std::size_t quarter = 0; quarter < kQuarters; ++quarter) {
    for (std::size_t j = 0; j < kKeywordGram; ++j) {
      low[quarter][j] = _mm256_broadcastsi128_si256(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(low_[quarter][j].data())));
      high[quarter][j] = _mm256_broadcastsi128_si256(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(high_[quarter][j].data())));
    }
  }
  const __m256i nibble = _mm256_set1_epi8(15);
  std::size_t at = from;
  for (; at + kLanes + kKeywordGram - 1 <= text.size(); at += kLanes) {
    __m256i groups[kQuarters];
    for (std::size_t j = 0; j < kKeywordGram; ++j) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at + j));
      const __m256i lows = _mm256_and_si256(bytes, nibble);
      const __m256i highs = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble);
      for (std::size_t quarter = 0; quarter < kQuarters; ++quarter) {
        const __m256i these = _mm256_and_si256(_mm256_shuffle_epi8(low[quarter][j], lows),
                                               _mm256_shuffle_epi8(high[quarter][j], highs));
        groups[quarter] = j == 0 ? these : _mm256_and_si256(groups[quarter], these);
      }
    }
    const __m256i any =
        _mm256_or_si256(_mm256_or_si256(groups[0], groups[1]), _mm256_or_si256(groups[2], groups[3]));
    const __m256i none = _mm256_cmpeq_epi8(any, _mm256_setzero_si256());
    auto found = ~static_cast<std::uint32_t>(_mm256_movemask_epi8(none));
    while (found != 0) {
      const std::size_t place = at + static_cast<std::size_t>(__builtin_ctz(found));
      found &= found - 1;
      if (MayStand(text.data() + place)) Check(text, from, place, hits);
    }
  }
  FindScalar(text, from, at, hits);
}

// GCC 12 does not align locals of 64 bytes in the frames of detect_stack_use_after_return. Clang's build,
// which the fuzz target is, watches this function.
#if defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize_address))
#endif
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void
Prefilter::FindAvx512(std::string_view text, std::size_t from, std::vector<Hit>& hits) const {
  constexpr std::size_t kLanes = 64;
  __m512i tables[kQuarters][kKeywordGram][2];
  for (std::size_t quarter = 0; quarter < kQuarters; ++quarter) {
    for (std::size_t j = 0; j < kKeywordGram; ++j) {
      tables[quarter][j][0] = _mm512_loadu_si512(whole_[quarter][j].data());
      tables[quarter][j][1] = _mm512_loadu_si512(whole_[quarter][j].data() + kLanes);
    }
  }
  std::size_t at = from;
  for (; at + kLanes + kKeywordGram - 1 <= text.size(); at += kLanes) {
    __m512i groups[kQuarters];
    for (std::size_t j = 0; j < kKeywordGram; ++j) {
      // A byte above 127 is taken for another one here, which only costs a check.
      const __m512i bytes = _mm512_loadu_si512(text.data() + at + j);
      for (std::size_t quarter = 0; quarter < kQuarters; ++quarter) {
        const __m512i these = _mm512_permutex2var_epi8(tables[quarter][j][0], bytes, tables[quarter][j][1]);
        groups[quarter] = j == 0 ? these : _mm512_and_si512(groups[quarter], these);
      }
    }
    const __m512i any =
        _mm512_or_si512(_mm512_or_si512(groups[0], groups[1]), _mm512_or_si512(groups[2], groups[3]));
    std::uint64_t found = _mm512_test_epi8_mask(any, any);
    while (found != 0) {
      const std::size_t place = at + static_cast<std::size_t>(__builtin_ctzll(found));
      found &= found - 1;
      if (MayStand(text.data() + place)) Check(text, from, place, hits);
    }
  }
  FindScalar(text, from, at, hits);
}
#else
void Prefilter::FindAvx512(std::string_view text, std::size_t from, std::vector<Hit>& hits) const {
  FindScalar(text, from, from, hits);
}
void Prefilter::FindAvx2(std::string_view text, std::size_t from, std::vector<Hit>& hits) const {
  FindScalar(text, from, from, hits);
}
#endif

void Prefilter::Find(std::string_view text, std::size_t from, std::vector<Hit>& hits) const {
#if defined(__x86_64__)
  static const bool kHasVbmi =
      __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vbmi") != 0;
  if (kHasVbmi) return FindAvx512(text, from, hits);
  static const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
  if (kHasAvx2) return FindAvx2(text, from, hits);
#endif
  FindScalar(text, from, from, hits);
}

void Prefilter::FindOpen(std::string_view text, std::size_t from, std::vector<Hit>& open) const {
  if (longest_ == 0) return;
  std::string tail(text.substr(std::max(from, text.size() - std::min(text.size(), longest_ - 1))));
  for (char& c : tail) c = static_cast<char>(Fold(c));
  for (std::size_t i = 0; i < tail.size(); ++i) {
    const std::string_view rest = std::string_view(tail).substr(i);
    const auto next = std::ranges::lower_bound(
        sorted_, rest, {}, [this](std::uint32_t k) { return std::string_view(folded_[k]); });
    for (auto it = next; it != sorted_.end() && folded_[*it].starts_with(rest); ++it) {
      if (folded_[*it].size() > rest.size()) open.push_back({text.size() - rest.size(), *it});
    }
  }
}

}  // namespace casemate
