#pragma once

#include <cstdint>
#include <string>

#include "environments/build/progress.h"
#include "surfaces/cli/terminal.h"

namespace casemate {

// One line on a terminal that is drawn again as the build goes on, and gone at its end. Says nothing anywhere
// else, nor when `quiet`.
class TerminalProgress : public BuildProgress {
 public:
  TerminalProgress(int fd, bool quiet);
  ~TerminalProgress() override;
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;

  void Step(std::string_view phase, std::string_view what, std::int64_t done, std::int64_t total) override;
  void Note(std::string_view sentence) override;

 private:
  void Clear();

  const int fd_;
  const bool quiet_;
  const bool terminal_;
  const Style style_;
  bool drawn_ = false;
  std::int64_t drawn_at_us_ = 0;
  std::string phase_;
};

}  // namespace casemate
