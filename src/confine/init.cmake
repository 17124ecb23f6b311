# The sandbox's init: C without a C library, linked into the binary as bytes.
set(reaper ${CMAKE_CURRENT_BINARY_DIR}/reaper)
add_custom_command(
  OUTPUT ${reaper}
  COMMAND ${CMAKE_CXX_COMPILER} -x c -std=gnu11 -O2 -Wall -Wextra -Werror -static -nostdlib -ffreestanding
          -fno-stack-protector -fno-pie -Wl,--build-id=none -Wl,-z,noseparate-code
          -Wl,-z,noexecstack -s -o ${reaper} ${CMAKE_CURRENT_SOURCE_DIR}/init/reaper.c
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/init/reaper.c
  VERBATIM)
casemate_embed(confine NAME InitBinary FILES ${reaper})
