#pragma once

#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/event.h"

namespace casemate {

// The events of a run, one compact JSON object each, in which no line ends:
//
//   {"event":"started","id":...}
//   {"event":"stdout","text":...}       or "base64" where the bytes are not UTF-8; stderr likewise. A piece
//                                       may end within a character, and then it and the next are base64.
//   {"event":"display","data":{MIME:...}}
//   {"event":"denial","denial":{...}}   as in the result object, like those below
//   {"event":"result","value":...}
//   {"event":"error","error":{...}}
//   {"event":"finished","result":{...}} always the last; the whole result object
//
// Appends `event` and a line feed to `out`.
void AppendEventLine(std::string& out, const Event& event);

// Reads one line (without its end) and hands it to `sink` (may be null). True for the last event, whose
// result goes to `finished`. Events that are not known are passed over. kInvalidRequest for what is no event.
Expected<bool> ReadEventLine(std::string_view line, EventSink* sink, ExecutionResult& finished);

}  // namespace casemate
