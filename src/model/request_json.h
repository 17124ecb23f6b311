#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/limits.h"
#include "casemate/request.h"
#include "model/json_fields.h"

namespace casemate {

// The request object that every surface takes. Exactly one of `code` and `command` is there; all else may be
// absent and then has the default of ExecutionRequest.
//
//   code            text                      command        [text]
//   code_name       text                      language       text
//   args            [text]                    environment    text
//   input           any JSON                  input_schema, result_schema   JSON Schemas
//   stdin           text                      stdin_base64   base64, instead of stdin
//   keep_streams    false: stdout and stderr come as events alone
//   files           {name: text, or {"base64": base64}}
//   workspace       {"path": absolute, "mode": "ro" | "copy" | "rw"}              mode: ro if absent
//   mounts          [{"path": absolute, "inside": absolute, "mode": "ro" | "rw"}]  mode: ro if absent
//   collect         [glob]                    env            {name: text}
//   policy          text: a profile; or {"name": profile, with limits, require_limits, network, checks,
//                   allowed_packages and complexity as below}, each here or there
//   limits          {name: number}
//   require_limits  true | false              isolation      tier | "auto"
//   redact          "secrets" | "pii" | "internal" | "all" | "off"; redact_files   true | false
//   redact_off      [rule]                    redact_rules   text: TOML in the form of profiles/redaction/
//   require         tier                      trace_parent   text (W3C Trace Context, traceparent)
//   trace_state     text (the same, tracestate)
//   network         "none" | "allow:HOST[:PORTS],..." (casemate/network.h), or {"allow": [destination, or
//   {"to":
//                   destination, "methods": [text], "paths": [text]}], "hosts": {name: [address]},
//                   "limits": {"connections", "bytes", "bytes_per_second"}}
//   secrets         {name: reference, or [reference], or {"from": reference or [reference],
//                   "as": "env" | "file" | "brokered", "hosts": ["HOST[:PORT][/HEADER]"]}}
//   checks          "open" | "checked" | "restricted"
//   allowed_packages  [text]                  complexity     {name: whole number}

// Of the text as given; files count in base64.
inline constexpr std::size_t kRequestBytesMax = 128 * static_cast<std::size_t>(kMiB);

// Reads `text`, which may be hostile. kInvalidRequest with one sentence that names the field and what is
// allowed: for what is no JSON object, for a field that there is not, and for a value of the wrong type. What
// a value may be is for the engine to judge, but for paths, which must be absolute.
Expected<ExecutionRequest> DecodeRequest(std::string_view text);

// The same, for an object that has fields besides: `more` reads them, and tells whether there is such a
// field.
using MoreFields = std::function<Expected<bool>(const std::string& name, const JsonField& value)>;
Expected<ExecutionRequest> DecodeRequest(std::string_view text, const MoreFields& more);

// The inverse; JSON texts come back in their compact form. kInvalidRequest for a request that JSON cannot
// tell: a stdin_fd, texts that are not UTF-8, an input or schema that is not JSON, a file named twice, more
// than kRequestBytesMax bytes.
Expected<std::string> EncodeRequest(const ExecutionRequest& request);

}  // namespace casemate
