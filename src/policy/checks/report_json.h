#pragma once

#include "model/json_writer.h"
#include "policy/checks/code_checker.h"

namespace casemate {

// The members "refused", "cut", "findings" and "complexity" of the object that `writer` is in.
void WriteCheckReport(JsonWriter& writer, const CheckReport& report);

}  // namespace casemate
