#pragma once

#include <optional>
#include <string>

#include "casemate/error.h"
#include "casemate/result.h"
#include "surfaces/cli/output_folder.h"
#include "surfaces/cli/terminal.h"

namespace casemate {

// "casemate: message (cause)" with a newline.
std::string ErrorLine(const Error& error, const Style& style);

// What a person should know of a run beside the program's own output: a line for an unusual status, each
// denial, what was cut off, the result, displays and files. Empty for an ordinary run. All of the program's
// words in it are escaped. With `quiet`, only why a program did not run and what could not be written.
std::string Summary(const ExecutionResult& result, const WrittenOutput& written, bool quiet,
                    const Style& style);

}  // namespace casemate
