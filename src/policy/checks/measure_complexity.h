#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "casemate/checks.h"
#include "policy/checks/syntax_tree.h"

namespace casemate {

// What a program can be measured by, and limited in. Those of "function_..." are of each function by itself.
struct ComplexityField {
  std::string_view name;
  std::int64_t Complexity::*member;
  bool per_function;
  std::string_view plural;  // "too many loops"
};
inline constexpr std::array kComplexityFields = {
    ComplexityField{"cyclomatic", &Complexity::cyclomatic, false, "too many decisions"},
    ComplexityField{"nesting", &Complexity::nesting, false, "blocks nested too deep"},
    ComplexityField{"loops", &Complexity::loops, false, "too many loops"},
    ComplexityField{"loop_depth", &Complexity::loop_depth, false, "loops nested too deep"},
    ComplexityField{"calls", &Complexity::calls, false, "too many calls"},
    ComplexityField{"functions", &Complexity::functions, false, "too many functions"},
    ComplexityField{"lines", &Complexity::lines, false, "too many lines"},
    ComplexityField{"function_cyclomatic", &Complexity::cyclomatic, true,
                    "too many decisions in one function"},
    ComplexityField{"function_nesting", &Complexity::nesting, true, "blocks nested too deep in one function"},
    ComplexityField{"function_loops", &Complexity::loops, true, "too many loops in one function"},
    ComplexityField{"function_calls", &Complexity::calls, true, "too many calls in one function"},
    ComplexityField{"function_lines", &Complexity::lines, true, "too many lines in one function"},
};
const ComplexityField* FindComplexity(std::string_view name);

// The program as a whole and then each of its functions, in the order of the text. A function's own numbers
// hold what is inside it, also of the functions defined there.
std::vector<Complexity> MeasureComplexity(const SyntaxTree& tree);

}  // namespace casemate
