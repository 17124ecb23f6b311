#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "casemate/session.h"
#include "casemate/session_branches.h"
#include "model/json_writer.h"

namespace casemate {

// What opens a session: the fields of a request object (model/request_json.h) that are not a program's, and
//
//   name   text      idle_timeout_ms, lifetime_ms   whole numbers
//
// Text may be hostile. kInvalidRequest with one sentence, as for a request.
Expected<SessionOptions> DecodeSessionOptions(std::string_view text);

// {"id","name","state","ended_because","parent","created_at","last_used_at","expires_at","steps","policy",
// "environment","tier"}; times are RFC 3339 in UTC, and what there is not is absent.
void WriteSession(JsonWriter& writer, const SessionInfo& info);

// {"count", "name"}, {"name"} and {"checkpoint"}; of the first two, all may be absent, the text too.
Expected<ForkOptions> DecodeForkOptions(std::string_view text);
Expected<std::string> DecodeCheckpointName(std::string_view text);
Expected<std::string> DecodeRewind(std::string_view text);

// {"id","name","created_at","steps"}
void WriteCheckpoint(JsonWriter& writer, const CheckpointInfo& info);

// {"name","kind","size_bytes","modified_at"}
void WriteFileInfo(JsonWriter& writer, const FileInfo& info);

}  // namespace casemate
