// link: ship secrets_http audit model base
// What sinks read that is not of this process: their state files, records of a log that anyone may have
// written to, and what a collector answers. A record that is taken makes a message of each form, all of which
// are whole.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "audit/record.h"
#include "audit/sink_state.h"
#include "model/json.h"
#include "ship/datagram_sink.h"
#include "ship/otlp_json.h"
#include "ship/otlp_protobuf.h"
#include "ship/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace ship = casemate::ship;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto state = casemate::audit::DecodeSinkState(bytes)) {
    if (casemate::audit::DecodeSinkState(casemate::audit::EncodeSinkState(*state)) != state) std::abort();
  }
  if (const auto target = ship::ParseTarget(bytes); target && target->name.find('/') != std::string::npos)
    std::abort();
  if (ship::ReadPartialSuccess(bytes).rejected < 0) std::abort();
  if (ship::ReadPartialSuccessProtobuf(bytes).rejected < 0) std::abort();
  // Sealed, or it would be no record.
  casemate::audit::Link last;
  std::string line = casemate::audit::Seal(std::string(bytes.substr(0, bytes.find('\n'))), last);
  line.pop_back();
  const auto record = ship::ReadRecord(line);
  if (!record) return 0;
  const std::array records = {*record};
  const std::string logs = ship::EncodeLogs(records, "host");
  if (!casemate::ParseJson(logs) || ship::ProtobufOf(logs).empty()) std::abort();
  const std::string spans = ship::EncodeSpans(records, "host");
  if (!spans.empty() && !casemate::ParseJson(spans)) std::abort();
  bool shortened = false;
  const std::string message = ship::SyslogMessage(*record, shortened);
  if (message.find('\n') != std::string::npos || message.size() > ship::kSyslogBytesMax + 200) std::abort();
  if (!ship::JournalMessage(*record).ends_with('\n')) std::abort();
  return 0;
}
