#include "model/secret_variables.h"

namespace casemate {

Expected<std::vector<SecretValue>> SecretVariables(std::span<const ResolvedSecret> secrets) {
  std::vector<SecretValue> variables;
  for (const ResolvedSecret& secret : secrets) {
    if (secret.mode != SecretMode::kVariable) continue;
    auto variable = SecretValue::WithRoom(secret.name.size() + 1 + secret.value->size());
    if (!variable) return std::unexpected(variable.error());
    const bool fits =
        variable->Append(secret.name) && variable->Append("=") && variable->Append(secret.value->Reveal());
    if (!fits) return Fail(ErrorCode::kInternal, "a secret does not fit into its own room");
    variables.push_back(*std::move(variable));
  }
  return variables;
}

}  // namespace casemate
