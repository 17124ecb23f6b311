#include "model/refusal.h"

#include <string>
#include <utility>

namespace casemate {
namespace {

Status StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidRequest:
    case ErrorCode::kNotFound:
      return Status::kRejected;
    case ErrorCode::kUnavailable:
      return Status::kUnavailable;
    case ErrorCode::kCancelled:
      return Status::kCancelled;
    case ErrorCode::kInternal:
      return Status::kFailed;
  }
  std::unreachable();
}

}  // namespace

ExecutionResult RefusalOf(const Error& error) {
  ExecutionResult result;
  result.status = StatusOf(error.code);
  result.error = ProgramError{"casemate." + std::string(ErrorCodeName(error.code)), error.ToString(), "", ""};
  return result;
}

}  // namespace casemate
