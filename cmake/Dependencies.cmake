# Libraries from Debian, each as an imported target `dep::NAME`. Static archives where there are any: a
# run's start-up cost counts dynamic relocations.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)

function(casemate_dependency name)
  cmake_parse_arguments(ARG "" "" "ARCHIVES;HEADERS" ${ARGN})
  add_library(dep_${name} INTERFACE)
  add_library(dep::${name} ALIAS dep_${name})
  foreach(header IN LISTS ARG_HEADERS)
    find_path(${name}_${header}_DIR ${header} REQUIRED)
    mark_as_advanced(${name}_${header}_DIR)
    if(NOT ${name}_${header}_DIR STREQUAL "/usr/include")
      target_include_directories(dep_${name} SYSTEM INTERFACE ${${name}_${header}_DIR})
    endif()
  endforeach()
  foreach(archive IN LISTS ARG_ARCHIVES)
    find_library(${name}_${archive}_FILE ${archive} REQUIRED)
    mark_as_advanced(${name}_${archive}_FILE)
    target_link_libraries(dep_${name} INTERFACE ${${name}_${archive}_FILE})
  endforeach()
endfunction()

casemate_dependency(boost_json HEADERS boost/json.hpp ARCHIVES libboost_json.a libboost_container.a)
# Boost.Beast's HTTP parser; headers alone.
casemate_dependency(boost_http HEADERS boost/beast/http/parser.hpp)
casemate_dependency(re2 HEADERS re2/re2.h ARCHIVES libre2.a)
casemate_dependency(tomlplusplus HEADERS toml++/toml.h)
# Debian has no archive of fmt, and a shared library costs start-up time.
casemate_dependency(fmt HEADERS fmt/format.h)
target_compile_definitions(dep_fmt INTERFACE FMT_HEADER_ONLY=1)
casemate_dependency(seccomp HEADERS seccomp.h ARCHIVES libseccomp.a)
casemate_dependency(crypto HEADERS openssl/sha.h ARCHIVES libcrypto.a)
# TLS; before libcrypto, whose functions it uses.
casemate_dependency(ssl HEADERS openssl/ssl.h ARCHIVES libssl.a libcrypto.a)
casemate_dependency(sodium HEADERS sodium/crypto_sign_ed25519.h ARCHIVES libsodium.a)
casemate_dependency(sqlite3 HEADERS sqlite3.h ARCHIVES libsqlite3.a)
# Loaded by the helper that asks for remote secrets, never by casemate itself.
casemate_dependency(curl HEADERS curl/curl.h ARCHIVES libcurl.so)
# Loaded by the program that builds environments, never by casemate itself.
casemate_dependency(archive HEADERS archive.h ARCHIVES libarchive.so)
if(CASEMATE_BUILD_TESTS OR CASEMATE_BUILD_BENCH)
  find_package(GTest REQUIRED)
endif()
