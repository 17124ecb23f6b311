#pragma once

#include <string>
#include <vector>

namespace casemate::docker {

// The names of the shared libraries that an ELF file (elf(5)) asks for, and of its loader; empty for what is
// no 64-bit ELF file or has none. Any bytes are safe.
std::vector<std::string> NeededLibraries(const std::string& path);
std::vector<std::string> NeededLibrariesOf(std::string_view bytes);

}  // namespace casemate::docker
