#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "redact/match.h"

namespace casemate {

// Finders for what has no keyword at its beginning, or is quicker by hand than by a pattern. `at` is where
// the rule's keyword begins.

// The password (or the token) of scheme://user:password@host; `at` is at "://".
Match FindUrlPassword(const KnownText& known, std::size_t at);
// From "-----BEGIN ... PRIVATE KEY-----" to the end of its block.
Match FindPem(const KnownText& known, std::size_t at);
// An address around the "@" at `at`.
Match FindEmail(const KnownText& known, std::size_t at);
// An IPv6 address that begins at `at`.
Match FindIpv6(const KnownText& known, std::size_t at);

// Places from `from` on where a run of digits begins that may be a long number (nine or more digits,
// spaces and - . ( ) in a row), or that has two capital letters before it. A run that touches the text's end
// counts.
void FindNumbers(std::string_view text, std::size_t from, std::vector<std::size_t>& places);
// The account number whose check digits begin at `at`.
Match FindIban(const KnownText& known, std::size_t at);

// The smallest place >= from such that an address or a number that is not yet seen may begin there.
std::size_t OpenEmail(std::string_view text, std::size_t from);
std::size_t OpenNumber(std::string_view text, std::size_t from);

// Whether a token may begin at `at`: what stands before is no letter or digit, or ends an escape (\n, %20,
// \u0022, a colour).
bool MayBegin(std::string_view text, std::size_t at);

}  // namespace casemate
