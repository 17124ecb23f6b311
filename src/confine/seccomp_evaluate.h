#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <expected>
#include <span>
#include <string>

namespace casemate {

// Runs a seccomp program on a made-up system call, as the kernel would, and returns its action
// (SECCOMP_RET_*, with data): filters are tested without a kernel. The instructions that libseccomp emits are
// known; a program with any other, with a jump or a load out of bounds, or without a return on its path is
// refused with a sentence that names the instruction.
std::expected<std::uint32_t, std::string> EvaluateSeccomp(std::span<const sock_filter> program,
                                                          const seccomp_data& data);

}  // namespace casemate
