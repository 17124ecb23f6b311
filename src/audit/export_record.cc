#include "audit/export_record.h"

#include <boost/json/serialize.hpp>

#include "audit/record.h"
#include "model/json_value.h"

namespace casemate::audit {

std::optional<std::string> ExportRecord(std::string_view record) {
  auto value = ParseBoundedValue(record, {.bytes_max = kRecordBytesMax});
  if (!value || !value->is_object()) return std::nullopt;
  if (value->get_object().erase("program") == 0) return std::string(record);
  return boost::json::serialize(*value);
}

}  // namespace casemate::audit
