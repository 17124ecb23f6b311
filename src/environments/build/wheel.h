#pragma once

#include <string>
#include <string_view>

#include "casemate/error.h"
#include "environments/build/tree_writer.h"
#include "environments/manifest.h"

namespace casemate {

// "numpy-1.26.0-cp311-cp311-manylinux_2_17_x86_64.whl" as its name (normalized) and version; the hash stays
// empty. kInvalidRequest when it is no wheel's file name (PEP 427).
Expected<LockedWheel> ParseWheelName(std::string_view file);

// Unpacks a wheel below `tree` as site/, bin/ and data/, without running anything of it: what an installer
// does (PEP 427), and nothing else. Its console scripts become files of bin/. Refuses links, devices, paths
// that leave it, and an entry that is there twice. Not confined by itself.
Expected<void> UnpackWheel(int wheel, int tree, const TreeLimits& limits);

// The scripts of an entry_points.txt: "name = module:attribute" lines of [console_scripts] and [gui_scripts],
// as names and the Python text that starts them. Lines that are no such thing are left out.
std::vector<std::pair<std::string, std::string>> ConsoleScripts(std::string_view entry_points);

}  // namespace casemate
