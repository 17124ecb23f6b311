#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>

namespace casemate {

// A value of a system call's argument and its name ("AF_PACKET").
struct SeccompArgumentName {
  const char* name;
  std::uint32_t value;
};

// What is answered and reported for a family of refused system calls; see profiles/seccomp/.
struct SeccompFamily {
  const char* reason;
  const char* remedy;
  int answer;     // a positive errno
  int argument;   // 0 to 5: the one that the report shows; -1 for none
  bool flags;     // `names` are bits of the argument, not values
  bool reported;  // false for mere probing by libraries
  std::span<const SeccompArgumentName> names;
};

// A compiled profile of one architecture. All constants, no memory of their own.
struct SeccompTables {
  std::uint32_t audit_architecture;  // AUDIT_ARCH_*
  std::span<const sock_filter> program;
  // The same where nobody listens, and short: what the program leaves to user notification gets the errno of
  // its family.
  std::span<const sock_filter> standalone;
  const char* names;                            // texts, each ended by '\0'
  std::span<const std::uint16_t> name_offsets;  // by number; 0 for a number without a name
  std::span<const std::uint8_t> family_of;      // by number; 0 is the family of what no other names
  std::span<const SeccompFamily> families;
  // -1 where the supervisor lets no such call pass.
  int connect_number;
  int socket_number;
};

// Written by tools/seccomp at build time, for every architecture on every host (so that tests cover both).
const SeccompTables& ContainerSeccompX8664();
const SeccompTables& ContainerSeccompAarch64();
const SeccompTables& ProcessSeccompX8664();
const SeccompTables& ProcessSeccompAarch64();

}  // namespace casemate
