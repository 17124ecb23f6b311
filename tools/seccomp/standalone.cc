// Theory of operation: the program is run by its meaning for one number after the other. What it loads of the
// architecture and the number is known, so that only what it asks about arguments is left of it: a decision,
// whose leaves are answers. Equal decisions are one. Neighbouring numbers with one decision become a range,
// ranges are told apart by a binary search, and all of it is written down from the end to the start, since
// jumps lead forward alone.
#include "standalone.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace casemate::seccomp_tool {
namespace {

constexpr std::uint32_t kWhole = 0xffffffff;
constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
constexpr std::uint32_t kArchitecture = offsetof(seccomp_data, arch);
constexpr std::uint32_t kNoArchitecture = 0;
constexpr std::size_t kReachMax = 255;

// An answer, or a test of the masked word at `offset` with its two outcomes.
struct Decision {
  bool answers = true;
  std::uint32_t answer = 0;
  std::uint32_t offset = 0;
  std::uint32_t mask = kWhole;
  std::uint16_t test = BPF_JEQ;
  std::uint32_t value = 0;
  int yes = -1;
  int no = -1;
  friend auto operator<=>(const Decision&, const Decision&) = default;
};

// Each decision once.
class Decisions {
 public:
  int Answer(std::uint32_t answer) { return Keep({.answer = answer}); }
  int Test(const Decision& decision) { return decision.yes == decision.no ? decision.yes : Keep(decision); }
  const Decision& operator[](int index) const { return all_[static_cast<std::size_t>(index)]; }

 private:
  int Keep(const Decision& decision) {
    const auto [at, is_new] = known_.emplace(decision, static_cast<int>(all_.size()));
    if (is_new) all_.push_back(decision);
    return at->second;
  }

  std::vector<Decision> all_;
  std::map<Decision, int> known_;
};

// Of a known word, whose outcomes can change at `right` and behind it only (Borders): nullopt for a test of
// bits.
std::optional<bool> Holds(std::uint16_t test, std::uint32_t left, std::uint32_t right) {
  switch (test) {
    case BPF_JEQ:
      return left == right;
    case BPF_JGT:
      return left > right;
    case BPF_JGE:
      return left >= right;
    default:
      return std::nullopt;
  }
}

// What the program makes of one number.
class Reader {
 public:
  Reader(const Compiled& compiled, Decisions& decisions) : compiled_(compiled), decisions_(decisions) {}

  // nullopt at an instruction that libseccomp does not emit, or not for numbers.
  std::optional<int> Read(std::uint32_t architecture, std::uint32_t number) {
    architecture_ = architecture;
    number_ = number;
    failed_ = false;
    const int decision = From(0, {});
    return failed_ ? std::nullopt : std::optional(decision);
  }

 private:
  // The accumulator: a known value, or a masked word of the call.
  struct Word {
    bool known = true;
    std::uint32_t value = 0;
    std::uint32_t offset = 0;
    std::uint32_t mask = kWhole;
  };

  int From(std::size_t at, Word word) {
    for (; at < compiled_.program.size(); ++at) {
      const sock_filter& step = compiled_.program[at];
      switch (step.code) {
        case BPF_LD | BPF_W | BPF_ABS:
          word = Load(step.k);
          break;
        case BPF_ALU | BPF_AND | BPF_K:
          if (word.known) return Fail();
          word.mask &= step.k;
          if (word.mask == 0) word = {};  // libseccomp looks at both halves of an argument
          break;
        case BPF_JMP | BPF_JA:
          at += step.k;
          break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K: {
          const std::uint16_t test = BPF_OP(step.code);
          if (!word.known) {
            return decisions_.Test({.answers = false,
                                    .offset = word.offset,
                                    .mask = word.mask,
                                    .test = test,
                                    .value = step.k,
                                    .yes = From(at + 1 + step.jt, word),
                                    .no = From(at + 1 + step.jf, word)});
          }
          const auto holds = Holds(test, word.value, step.k);
          if (!holds) return Fail();
          at += *holds ? step.jt : step.jf;
          break;
        }
        case BPF_RET | BPF_K:
          return decisions_.Answer(step.k == SECCOMP_RET_USER_NOTIF ? AnswerOfFamily() : step.k);
        default:
          return Fail();
      }
    }
    return Fail();
  }

  int Fail() {
    failed_ = true;
    return -1;
  }

  Word Load(std::uint32_t offset) const {
    if (offset == kNumber) return {.value = number_};
    if (offset == kArchitecture) return {.value = architecture_};
    return {.known = false, .offset = offset};
  }

  std::uint32_t AnswerOfFamily() const {
    const std::size_t family = number_ < compiled_.family_of.size() ? compiled_.family_of[number_] : 0;
    return SECCOMP_RET_ERRNO |
           (static_cast<std::uint32_t>(compiled_.families[family].answer) & SECCOMP_RET_DATA);
  }

  const Compiled& compiled_;
  Decisions& decisions_;
  std::uint32_t architecture_ = 0;
  std::uint32_t number_ = 0;
  bool failed_ = false;
};

// Numbers from `first` up to the next range's.
struct Range {
  std::uint32_t first;
  int decision;
};

// The decision between ranges[from] to ranges[to], the latter not included.
int Search(const std::vector<Range>& ranges, std::size_t from, std::size_t to, Decisions& decisions) {
  if (to - from == 1) return ranges[from].decision;
  const auto test = [&decisions](std::uint16_t kind, std::uint32_t value, int yes, int no) {
    return decisions.Test(
        {.answers = false, .offset = kNumber, .test = kind, .value = value, .yes = yes, .no = no});
  };
  const Range& middle = ranges[from + 1];
  if (to - from == 3 && ranges[from].decision == ranges[from + 2].decision &&
      ranges[from + 2].first - middle.first == 1) {
    return test(BPF_JEQ, middle.first, middle.decision, ranges[from].decision);
  }
  const std::size_t half = from + (to - from) / 2;
  return test(BPF_JGE, ranges[half].first, Search(ranges, half, to, decisions),
              Search(ranges, from, half, decisions));
}

// Writes decisions from the end of a program to its start.
class Writer {
 public:
  explicit Writer(const Decisions& decisions) : decisions_(decisions) {}

  std::vector<sock_filter> Write(std::uint32_t architecture, int decision, int of_others) {
    std::size_t call = 0;
    std::size_t others = 0;
    do {
      call = Reach(decision, false);
      others = Reach(of_others, false);
    } while (!IsNear(call) || !IsNear(others));
    words_.push_back(Jump(BPF_JEQ, architecture, call, others));
    words_.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, kArchitecture});
    return {words_.rbegin(), words_.rend()};
  }

 private:
  // How far a jump in the next word would lead.
  std::size_t DistanceTo(std::size_t place) const { return words_.size() - place - 1; }
  bool IsNear(std::size_t place) const { return DistanceTo(place) <= kReachMax; }

  sock_filter Jump(std::uint16_t test, std::uint32_t value, std::size_t yes, std::size_t no) const {
    return {static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), static_cast<std::uint8_t>(DistanceTo(yes)),
            static_cast<std::uint8_t>(DistanceTo(no)), value};
  }

  // A place where `index` is decided, near enough for the next word; `loaded`: with its word in the
  // accumulator.
  std::size_t Reach(int index, bool loaded) {
    const Decision& decision = decisions_[index];
    const auto key = std::pair(index, loaded && !decision.answers);
    const auto known = places_.find(key);
    if (known == places_.end()) return places_[key] = Put(decision, key.second, index);
    if (IsNear(known->second)) return known->second;
    words_.push_back(decision.answers ? sock_filter{BPF_RET | BPF_K, 0, 0, decision.answer}
                                      : sock_filter{BPF_JMP | BPF_JA, 0, 0,
                                                    static_cast<std::uint32_t>(DistanceTo(known->second))});
    return known->second = words_.size() - 1;
  }

  std::size_t Put(const Decision& decision, bool loaded, int index) {
    if (decision.answers) {
      words_.push_back({BPF_RET | BPF_K, 0, 0, decision.answer});
      return words_.size() - 1;
    }
    const auto reach = [this, &decision](int next) {
      const Decision& other = decisions_[next];
      return Reach(next, other.offset == decision.offset && other.mask == decision.mask);
    };
    std::size_t yes = 0;
    std::size_t no = 0;
    do {
      yes = reach(decision.yes);
      no = reach(decision.no);
    } while (!IsNear(yes) || !IsNear(no));
    words_.push_back(Jump(decision.test, decision.value, yes, no));
    if (loaded) return words_.size() - 1;
    places_.try_emplace({index, true}, words_.size() - 1);
    if (decision.mask != kWhole) words_.push_back({BPF_ALU | BPF_AND | BPF_K, 0, 0, decision.mask});
    words_.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, decision.offset});
    return words_.size() - 1;
  }

  const Decisions& decisions_;
  std::vector<sock_filter> words_;
  std::map<std::pair<int, bool>, std::size_t> places_;
};

// Where another decision may begin: at any number that the program names, or that has a family.
std::set<std::uint32_t> Borders(const Compiled& compiled) {
  std::set<std::uint32_t> borders = {0};
  for (std::uint32_t number = 0; number <= compiled.family_of.size(); ++number) borders.insert(number);
  for (const sock_filter& step : compiled.program) {
    if (BPF_CLASS(step.code) != BPF_JMP) continue;
    borders.insert(step.k);
    if (step.k != kWhole) borders.insert(step.k + 1);
  }
  return borders;
}

}  // namespace

std::vector<sock_filter> Standalone(const Compiled& compiled, std::vector<std::string>& errors) {
  Decisions decisions;
  Reader reader(compiled, decisions);
  const std::optional<int> of_others = reader.Read(kNoArchitecture, 0);
  std::vector<Range> ranges;
  bool whole = of_others.has_value();
  for (const std::uint32_t number : Borders(compiled)) {
    const std::optional<int> decision = reader.Read(compiled.audit_architecture, number);
    whole = whole && decision;
    if (!whole) break;
    if (ranges.empty() || ranges.back().decision != *decision) ranges.push_back({number, *decision});
  }
  if (!whole) {
    errors.emplace_back("profile: the exported program has an instruction that is unknown here.");
    return {};
  }
  const int all = Search(ranges, 0, ranges.size(), decisions);
  return Writer(decisions).Write(compiled.audit_architecture, all, *of_others);
}

}  // namespace casemate::seccomp_tool
