#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// One record is one line of JSON, sealed by what stands at its end:
//
//   {"kind":"intent","time":"2026-11-21T14:17:00.123456Z", ... ,"seq":12,"prev":"<64>","hash":"<64>"}
//
// `seq` counts from 1 without a gap, `prev` is the hash of the record before (64 zeros for the first), and
// `hash` is the SHA-256 of every byte of the line before `,"hash"`. So `prev` chains a record to all before
// it, and sha256sum(1) can check a line.

namespace casemate::audit {

inline constexpr std::size_t kHashDigits = 64;
// A record is what we write ourselves, with every text in it cut (run_records.h), or a kept program of at
// most 4 MiB and its input.
inline constexpr std::size_t kRecordBytesMax = std::size_t{256} << 20U;

// The end of a chain: what the next record follows.
struct Link {
  std::int64_t seq = 0;
  std::string hash = std::string(kHashDigits, '0');
  friend bool operator==(const Link&, const Link&) = default;
};

// A whole line, with its newline, of `body` (a JSON object without its last brace, not empty: `{"kind":...`)
// behind `last`, which becomes the new end.
std::string Seal(std::string body, Link& last);

// What the end of a line says; nothing here says that it is true.
struct SealView {
  std::int64_t seq = 0;
  std::string_view prev;
  std::string_view hash;
  std::string_view hashed;  // what `hash` should be of
};

// `line` is without its newline; nullopt when it does not end as a record does.
std::optional<SealView> ReadSeal(std::string_view line);

// Whether `hash` is the hash of the line.
bool IsIntact(const SealView& seal);

// "2026-11-21T14:17:00.123456Z" for microseconds since 1970, and back; nullopt for what has another form.
std::string FormatTime(std::int64_t unix_us);
std::optional<std::int64_t> ParseTime(std::string_view text);
// The wall clock, in microseconds since 1970.
std::int64_t WallUs();

}  // namespace casemate::audit
