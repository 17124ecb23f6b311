#pragma once

#include <string>
#include <string_view>

#include "audit/record.h"
#include "audit/signing.h"

// A checkpoint is a record that signs the chain before it: its signature is of the number and hash of the
// record before, and so of every byte up to there. Who can write to the log but has no key cannot make the
// chain anew behind the last one.

namespace casemate::audit {

// The body of a checkpoint that follows `last`.
std::string CheckpointBody(const SigningKey& key, const Link& last, std::string_view time);

bool IsCheckpoint(std::string_view line);
// Why the checkpoint in `line`, which has `seal`, is none of `public_key`; "" when it is one.
std::string JudgeCheckpoint(std::string_view line, const SealView& seal, std::string_view public_key);

}  // namespace casemate::audit
