# Warnings are errors in every preset; hardening follows the OpenSSF compiler guide.
add_library(casemate_flags INTERFACE)
target_compile_options(casemate_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wformat=2 -Wswitch-enum -Werror
  -Wno-missing-field-initializers  # designated initialisers leave the rest at its default on purpose
  -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives inside <regex> and <variant> at -O2 (GCC bug 105562).
  target_compile_options(casemate_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
endif()
if(CASEMATE_SANITIZE)
  target_compile_options(casemate_flags INTERFACE
    -fsanitize=${CASEMATE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(casemate_flags INTERFACE -fsanitize=${CASEMATE_SANITIZE})
else()
  target_compile_options(casemate_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  # What is installed has its libraries linked in, the C library too (CASEMATE_STATIC): nothing to load and to
  # bind is half a millisecond of each start. Its addresses stay random. Tests take the host's C library.
  set(static $<BOOL:$<TARGET_PROPERTY:CASEMATE_STATIC>>)
  target_link_options(casemate_flags INTERFACE
    $<IF:${static},-static-pie,-static-libstdc++> $<$<NOT:${static}>:-static-libgcc>)
endif()
target_link_options(casemate_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

# For a program whose shared libraries bring what is linked into it too, of which neither may take the other's. A
# sanitizer's runtime is an archive as well, but one whose allocator the shared libraries must find.
set(CASEMATE_HIDE_ARCHIVES -Wl,--exclude-libs,ALL)
if(CASEMATE_SANITIZE)
  set(CASEMATE_HIDE_ARCHIVES -Wl,--exclude-libs,libcrypto.a -Wl,--exclude-libs,libssl.a)
endif()
