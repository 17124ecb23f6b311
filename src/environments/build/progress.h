#pragma once

#include <cstdint>
#include <string_view>

namespace casemate {

// Who is told how far a build is. Called on the building thread, often.
class BuildProgress {
 public:
  virtual ~BuildProgress() = default;
  // `total` 0: not known. `what` is what is done now ("numpy 1.26.0"); may be hostile text.
  virtual void Step(std::string_view phase, std::string_view what, std::int64_t done, std::int64_t total) = 0;
  // A sentence worth keeping.
  virtual void Note(std::string_view sentence) = 0;
};

}  // namespace casemate
