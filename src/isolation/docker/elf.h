#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace casemate::docker {

struct ElfNeeds {
  std::vector<std::string> libraries;  // names, and its loader's path
  std::vector<std::string>
      run_path;  // folders that are looked through first (ld.so(8)), "$ORIGIN" as it stands
};

// What an ELF file (elf(5)) asks for; empty for what is no 64-bit ELF file. Any bytes are safe.
ElfNeeds NeedsOf(const std::string& path);
ElfNeeds NeedsOfBytes(std::string_view bytes);

}  // namespace casemate::docker
