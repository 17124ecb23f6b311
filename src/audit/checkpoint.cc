#include "audit/checkpoint.h"

#include <fmt/format.h>

#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate::audit {
namespace {

constexpr std::string_view kStart = R"({"kind":"checkpoint",)";

std::string Statement(std::int64_t seq, std::string_view hash, std::string_view time) {
  return fmt::format("casemate audit checkpoint 1\n{}\n{}\n{}\n", seq, hash, time);
}

}  // namespace

std::string CheckpointBody(const SigningKey& key, const Link& last, std::string_view time) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("kind", "checkpoint");
  writer.Field("time", time);
  writer.Field("public_key", key.public_key());
  writer.Field("signature", key.Sign(Statement(last.seq, last.hash, time)));
  return std::move(writer).Take();
}

bool IsCheckpoint(std::string_view line) { return line.starts_with(kStart); }

std::string JudgeCheckpoint(std::string_view line, const SealView& seal, std::string_view public_key) {
  const auto value = ParseBoundedValue(line, {.bytes_max = 4096, .depth_max = 2});
  if (!value || !value->is_object()) return "it is no JSON object";
  const auto& object = value->get_object();
  const auto* time = FindString(object, "time");
  const auto* key = FindString(object, "public_key");
  const auto* signature = FindString(object, "signature");
  if (time == nullptr || key == nullptr || signature == nullptr) {
    return "it lacks its time, key or signature";
  }
  if (std::string_view(*key) != public_key) return "it is signed with another key";
  if (!IsSignatureOf(public_key, *signature, Statement(seal.seq - 1, seal.prev, *time))) {
    return "its signature is not of the records before it";
  }
  return "";
}

}  // namespace casemate::audit
