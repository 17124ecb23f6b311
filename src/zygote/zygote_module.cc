#include "zygote/zygote_module.h"

namespace casemate {
namespace embedded {
std::string_view ZygoteModule(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

std::string_view ZygoteModuleBytes() { return embedded::ZygoteModule("casemate_cell.so"); }

}  // namespace casemate
