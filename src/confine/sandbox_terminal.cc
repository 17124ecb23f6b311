#include "confine/sandbox_terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace casemate {
namespace {

// devpts(5): pseudo-terminals are few on a host, so there is one here, and its ptmx is for nobody but whoever
// may open every file.
constexpr char kOptions[] = "newinstance,ptmxmode=0000,mode=0620,max=1,uid=";  // NOLINT: copied with its size

StepResult Failed() { return {LaunchStep::kTerminal, errno}; }

// Appends the digits of `number` and a NUL.
void AppendNumber(uid_t number, char* at) {
  std::array<char, 12> digits{};
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) *at++ = digits[--count];
  *at = '\0';
}

}  // namespace

StepResult OpenTerminal(uid_t owner, TerminalEnds& ends) {
  std::array<char, sizeof(kOptions) + 12> options{};
  for (std::size_t i = 0; i < sizeof(kOptions); ++i) options[i] = kOptions[i];
  AppendNumber(owner, options.data() + sizeof(kOptions) - 1);
  if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, options.data()) != 0) return Failed();
  ends.engine = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int locked = 0;
  if (ends.engine < 0 || ioctl(ends.engine, TIOCSPTLCK, &locked) != 0) return Failed();
  ends.program = ioctl(ends.engine, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return ends.program < 0 ? Failed() : StepResult{};
}

int TakeTerminal() { return ioctl(STDIN_FILENO, TIOCSCTTY, 0) == 0 ? 0 : -errno; }

}  // namespace casemate
