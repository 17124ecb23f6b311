#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ship/sink.h"

namespace casemate::ship {

enum class DatagramForm { kSyslog, kJournald };

// A larger record goes to syslog without its middle: 8 KiB is what rsyslog takes as a message.
inline constexpr std::size_t kSyslogBytesMax = 8000;

// One message of each form. A syslog message has no more than kSyslogBytesMax bytes of record; `shortened`
// says whether it had to be cut, to what it is about and its hash.
std::string SyslogMessage(const Record& record, bool& shortened);
// The fields of the journal (systemd.journal-fields(7)): MESSAGE is the record.
std::string JournalMessage(const Record& record);

// Sends to the unix datagram socket at `path`. A socket whose receiver is slow makes the sink wait, and one
// that is not there is tried again: nothing is lost.
std::unique_ptr<Sink> MakeDatagramSink(std::string path, DatagramForm form);

}  // namespace casemate::ship
