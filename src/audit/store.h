#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/record.h"
#include "casemate/error.h"

// The log's folder, STATE/audit, and what is in it:
//
//   head               one fixed-size line: which segment is written, how long it is, the last seq and hash.
//                      Its lock (flock(2)) is the log's: whoever appends holds it.
//   00000001.jsonl     segments, each the continuation of the one before; only the last one grows
//   signing.key        the seed of the key that signs checkpoints (0600), made with the log
//   signing.pub        its public half, in hexadecimal digits
//   sinks/NAME.json    how far a sink is (sink_state.h)
//   index.db           SQLite, made by queries of the segments; can be removed at any time

namespace casemate::audit {

std::string LogFolder(const std::string& state_dir);
std::string HeadPath(const std::string& folder);
std::string SegmentPath(const std::string& folder, std::int64_t segment);

// The numbers of the segments that are there, rising. kNotFound when the folder is not there.
Expected<std::vector<std::int64_t>> ListSegments(const std::string& folder);

struct Head {
  std::int64_t segment = 1;
  std::int64_t size = 0;            // bytes of that segment
  std::int64_t checkpoint_seq = 0;  // of the last checkpoint
  Link last;
  friend bool operator==(const Head&, const Head&) = default;
};
// Always the same number of bytes, so that it is written in place and needs no room on a full disk.
std::string EncodeHead(const Head& head);
// nullopt when a byte of it is not as EncodeHead made it.
std::optional<Head> DecodeHead(std::string_view text);
// The log's, as it is at this moment; nullopt when there is none or it is damaged.
std::optional<Head> ReadHead(const std::string& folder);

}  // namespace casemate::audit
