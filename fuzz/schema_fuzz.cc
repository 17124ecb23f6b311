// link: model base
// A hostile schema, and a hostile value against it, one line each: neither may crash, hang or overflow the
// stack, and the two entries agree on what is a schema.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/json.h"
#include "model/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = text.find('\n');
  const std::string_view schema = text.substr(0, line);
  const std::string_view value_text = line == std::string_view::npos ? "null" : text.substr(line + 1);
  const auto valid = casemate::ValidateSchema(schema);
  if (!valid && valid.error().message.empty()) std::abort();
  const auto value = casemate::ParseJson(value_text, {std::size_t{1} << 16, 200});
  if (!value) return 0;
  const auto checked = casemate::CheckAgainstSchema(*value, schema);
  if (!checked && checked.error().message.empty()) std::abort();
  if (!valid && checked) std::abort();
  return 0;
}
