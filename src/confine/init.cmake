# The sandbox's inits and the keeper: C without a C library, linked into the binary as bytes.
set(init_programs)
foreach(name reaper keeper guard starter)
  set(program ${CMAKE_CURRENT_BINARY_DIR}/${name})
  add_custom_command(
    OUTPUT ${program}
    COMMAND ${CMAKE_CXX_COMPILER} -x c -std=gnu11 -O2 -Wall -Wextra -Werror -static -nostdlib -ffreestanding
            -fno-stack-protector -fno-pie -Wl,--build-id=none -Wl,-z,noseparate-code
            -Wl,-z,noexecstack -s -o ${program} ${CMAKE_CURRENT_SOURCE_DIR}/init/${name}.c
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/init/${name}.c ${CMAKE_CURRENT_SOURCE_DIR}/init/calls.h
    VERBATIM)
  list(APPEND init_programs ${program})
endforeach()
casemate_embed(confine NAME InitBinary FILES ${init_programs})
