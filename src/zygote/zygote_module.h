#pragma once

#include <string_view>

namespace casemate {

// The extension module that a zygote loads (inside/module.cc), as the bytes of its shared object.
std::string_view ZygoteModuleBytes();

// Where runtime/python/zygote.py looks for it.
inline constexpr std::string_view kZygoteModulePath = "/casemate/casemate_cell.so";

}  // namespace casemate
