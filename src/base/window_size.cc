#include "base/window_size.h"

#include <sys/ioctl.h>

namespace casemate {

void CopyWindowSize(int from, int to) {
  winsize size{};
  if (ioctl(from, TIOCGWINSZ, &size) == 0) (void)ioctl(to, TIOCSWINSZ, &size);
}

}  // namespace casemate
