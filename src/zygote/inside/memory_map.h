#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace casemate {

// One line of /proc/self/maps (proc(5)); private memory alone is told apart.
struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  bool writable = false;   // rw-p
  bool constant = false;   // r--p or r-xp
  bool anonymous = false;  // of no file
  bool of_kernel = false;  // the stack and what the kernel has made
};

// Takes the next mapping from the front of `lines`; false at their end.
bool NextMapping(std::string_view& lines, Mapping& mapping);

// Holds the text of /proc/self/maps without an allocation, which would change it.
class MapsText {
 public:
  // Nothing when it cannot be read or is longer than there is room.
  std::string_view Read();

 private:
  std::array<char, 512 * std::size_t{1024}> text_;
};

}  // namespace casemate
