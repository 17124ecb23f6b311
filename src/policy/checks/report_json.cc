#include "policy/checks/report_json.h"

#include "model/result_json.h"

namespace casemate {

void WriteCheckReport(JsonWriter& writer, const CheckReport& report) {
  writer.Field("refused", report.refused());
  writer.Field("cut", report.cut);
  writer.Key("findings");
  writer.BeginArray();
  for (const Finding& finding : report.findings) WriteFinding(writer, finding);
  writer.EndArray();
  writer.Key("complexity");
  writer.BeginArray();
  for (const Complexity& part : report.complexity) WriteComplexity(writer, part);
  writer.EndArray();
}

}  // namespace casemate
