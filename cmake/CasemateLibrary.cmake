# casemate_library(NAME DEPS a b LIBS dep::x)
#
# One static library for each folder of src/. DEPS is exactly what it may include and link: every library
# has a private include folder that shows only itself (`#include "NAME/file.h"`), so an include of a
# folder that is not listed does not compile. `*_test.cc` beside the code becomes NAME_test.
function(casemate_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS;TEST_DEPS;EXCLUDE" ${ARGN})
  casemate_include_view(${name})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  foreach(excluded IN LISTS ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "/${excluded}$")
  endforeach()

  if(sources)
    add_library(${name} STATIC ${sources})
    set(visibility PUBLIC)
  else()
    add_library(${name} INTERFACE)
    set(visibility INTERFACE)
  endif()
  if(sources)
    casemate_may_include(${name} ${name} ${ARG_DEPS})
    target_link_libraries(${name} PRIVATE casemate_flags)
  endif()
  target_link_libraries(${name} ${visibility} ${ARG_DEPS} ${ARG_LIBS} Threads::Threads)

  if(tests AND CASEMATE_BUILD_TESTS)
    add_executable(${name}_test ${tests})
    casemate_may_include(${name}_test ${name} ${ARG_DEPS} ${ARG_TEST_DEPS})
    target_link_libraries(${name}_test PRIVATE
      casemate_flags ${name} ${ARG_TEST_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
    add_test(NAME ${name}_test COMMAND ${name}_test)
    set_tests_properties(${name}_test PROPERTIES
      LABELS unit TIMEOUT 600 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()

# The folder through which others see `name`: it holds one link, so that only "name/..." resolves.
# A nested folder (isolation/container) is called isolation_container and seen as "isolation/container/...".
function(casemate_include_view name)
  file(RELATIVE_PATH place ${CMAKE_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
  set(view ${CMAKE_BINARY_DIR}/views/${name})
  get_filename_component(parent ${view}/${place} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${place} SYMBOLIC)
endfunction()

function(casemate_may_include target)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  foreach(dep IN LISTS ARGN)
    target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/views/${dep})
  endforeach()
endfunction()

# casemate_inside_program(TARGET NAME SOURCES...)
#
# A program that runs in a sandbox, built as NAME and linked into the binary as bytes: static, since there may be
# nothing else beside it, and without the preset's sanitizers, whose runtimes need more than a sandbox lets them.
function(casemate_inside_program target name)
  add_executable(${target} ${ARGN})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Werror -O2 -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections -fno-pie)
  target_link_options(${target} PRIVATE
    -static -no-pie -Wl,--gc-sections,-z,noexecstack,-z,relro,-z,now -s)
endfunction()
