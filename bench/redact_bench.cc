// What the redactor costs: redact_bench throughput SETS FILE | small SETS FILE | start SETS | hostile SETS |
// rules Figures are of this thread's processor time, so that what else the machine does changes them little.
// Prints one JSON object; bench/redact reads it.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "casemate/redactor.h"

namespace casemate {
namespace {

constexpr std::size_t kFileMax = std::size_t{1} << 30;
constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kSmall = 4096;
constexpr int kRounds = 5;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Not the peak, which a process has from the one that started it.
std::int64_t ResidentKib() {
  const auto statm = ReadFile("/proc/self/statm", 4096);
  if (!statm) throw std::runtime_error(statm.error().message);
  return std::strtoll(statm->c_str() + statm->find(' '), nullptr, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

std::unique_ptr<Redactor> Make(const std::string& sets) {
  auto made = MakeRedactor({sets, {}, "", ""}, {});
  if (!made) throw std::runtime_error(made.error().message);
  return *std::move(made);
}

// As a run's output comes: in pieces, through one stream.
double Stream(const std::string& sets, std::string_view text, std::size_t& out_bytes) {
  const auto redactor = Make(sets);
  const auto stream = redactor->Stream("stdout");
  RedactedBytes out;
  out_bytes = 0;
  const double begin = CpuSeconds();
  for (std::size_t at = 0; at < text.size(); at += kChunk) {
    stream->Feed(text.substr(at, kChunk), out);
    out_bytes += out.size();
    out.clear();
  }
  stream->Finish(out);
  out_bytes += out.size();
  return CpuSeconds() - begin;
}

// The least of a few: what else runs on the machine only adds.
double Least(const std::string& sets, std::string_view text, std::size_t& out_bytes) {
  double best = Stream(sets, text, out_bytes);
  for (int i = 1; i < kRounds; ++i) best = std::min(best, Stream(sets, text, out_bytes));
  return best;
}

void Throughput(const std::string& sets, const std::string& text) {
  std::size_t out_bytes = 0;
  const double seconds = Least(sets, text, out_bytes);
  fmt::print("{{\"bytes\": {}, \"out_bytes\": {}, \"mb_per_second\": {:.1f}}}\n", text.size(), out_bytes,
             static_cast<double>(text.size()) / seconds / 1e6);
}

// Outputs of 4 KiB, each with a redactor of its own, as runs have them.
void Small(const std::string& sets, const std::string& text) {
  std::vector<double> samples;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t at = 0; at + kSmall <= text.size() && at < 2000 * kSmall; at += kSmall) {
      const double begin = CpuSeconds();
      const auto redactor = Make(sets);
      const std::size_t size = redactor->Text(std::string_view(text).substr(at, kSmall), "stdout").size();
      samples.push_back(size > 0 ? CpuSeconds() - begin : 1);
    }
  }
  std::ranges::sort(samples);
  fmt::print("{{\"outputs\": {}, \"median_us\": {:.2f}, \"p99_us\": {:.2f}}}\n", samples.size(),
             samples[samples.size() / 2] * 1e6, samples[samples.size() * 99 / 100] * 1e6);
}

// The first redactor of a process, and what a hundred more add to its memory.
void Start(const std::string& sets) {
  const std::int64_t before = ResidentKib();
  const double begin = CpuSeconds();
  std::vector<std::unique_ptr<Redactor>> all;
  all.push_back(Make(sets));
  const double first = CpuSeconds() - begin;
  const std::int64_t one = ResidentKib();
  for (int i = 0; i < 100; ++i) all.push_back(Make(sets));
  fmt::print("{{\"start_us\": {:.1f}, \"rules_kib\": {}, \"hundred_more_kib\": {}}}\n", first * 1e6,
             one - before, ResidentKib() - one);
}

std::string Repeat(std::string_view unit, std::size_t size) {
  std::string text;
  text.reserve(size + unit.size());
  while (text.size() < size) text += unit;
  text.resize(size);
  return text;
}

// What would make a search that goes back over its text slower than linear: 4 times the text may take 4 times
// the time, and half as much again for what else is going on.
void Hostile(const std::string& sets) {
  struct Unit {
    std::string_view name;
    std::string_view text;
  };
  constexpr std::array<Unit, 18> kUnits = {{{"run of a", "a"},
                                            {"run of digits", "1"},
                                            {"nested quotes", "\"'`"},
                                            {"escaped quotes", "\\\\\\\""},
                                            {"almost keys", "AKIA0AKIA1"},
                                            {"almost tokens", "sk-proj-abc sk-"},
                                            {"almost JWTs", "eyJhbGciOi.eyJ."},
                                            {"names without values", "password=secret="},
                                            {"open assignments", "password = \"a"},
                                            {"addresses", "a@b.c@"},
                                            {"schemes", "://a:b"},
                                            {"BEGIN lines", "-----BEGIN RSA PRIVATE KEY-----\n"},
                                            {"headers", "authorization: bearer "},
                                            {"command lines", "curl -u a mysql -p "},
                                            {"cookies", "cookie: a=b; "},
                                            {"numbers", "4111 1111 1111 111 +1 415-555-"},
                                            {"colons", "fd00:fc00::fd:"},
                                            {"paths", "/home/a/etc/b/run/"}}};
  constexpr std::size_t kSize = 1 << 18;
  fmt::print("{{");
  for (const Unit& unit : kUnits) {
    const std::string text = Repeat(unit.text, 4 * kSize);
    std::size_t bytes = 0;
    const double one = Least(sets, std::string_view(text).substr(0, kSize), bytes);
    const double four = Least(sets, text, bytes);
    fmt::print("{}\"{}\": {{\"mb_per_second\": {:.1f}, \"growth\": {:.2f}}}",
               &unit == kUnits.data() ? "" : ", ", unit.name, 4.0 * kSize / four / 1e6, four / one);
  }
  fmt::print("}}\n");
}

int Run(const std::vector<std::string>& words) {
  if (words.size() < 2) return 2;
  if (words[0] == "start") return Start(words[1]), 0;
  if (words[0] == "hostile") return Hostile(words[1]), 0;
  if (words.size() < 3) return 2;
  const auto text = ReadFile(words[2], kFileMax);
  if (!text) throw std::runtime_error(text.error().message);
  if (words[0] == "throughput") return Throughput(words[1], *text), 0;
  if (words[0] == "small") return Small(words[1], *text), 0;
  return 2;
}

}  // namespace
}  // namespace casemate

int main(int argc, char** argv) {
  try {
    return casemate::Run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "redact_bench: %s\n", error.what());
    return 125;
  }
}
