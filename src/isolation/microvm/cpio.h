#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace casemate::microvm {

// Writes an archive that the kernel unpacks as its first root (initramfs; the format "newc" of cpio(5)).
// Owners and times are 0, so that the same files give the same bytes. Names are relative.
class CpioWriter {
 public:
  void Folder(std::string_view name, mode_t mode);
  void File(std::string_view name, mode_t mode, std::string_view bytes);
  std::string Take() &&;

 private:
  void Entry(std::string_view name, mode_t mode, std::string_view bytes);

  std::string archive_;
  unsigned inode_ = 0;
};

}  // namespace casemate::microvm
