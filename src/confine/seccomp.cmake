# Included by CMakeLists.txt after casemate_library(confine ...): the filter's tables, compiled from
# profiles/seccomp/ for every architecture; the linker keeps the one that is used.
add_subdirectory(${CMAKE_SOURCE_DIR}/tools/seccomp ${CMAKE_BINARY_DIR}/tools/seccomp)

set(seccomp_profile
  ${CMAKE_SOURCE_DIR}/profiles/seccomp/container.toml
  ${CMAKE_SOURCE_DIR}/profiles/seccomp/container_refusals.toml)
set(seccomp_folder ${CMAKE_CURRENT_BINARY_DIR}/seccomp)
set(seccomp_sources
  ${seccomp_folder}/seccomp_container_x86_64.cc ${seccomp_folder}/seccomp_container_aarch64.cc)
# For isolation/docker.
set(seccomp_docker_profiles
  ${seccomp_folder}/seccomp_container_x86_64.json ${seccomp_folder}/seccomp_container_aarch64.json)
file(MAKE_DIRECTORY ${seccomp_folder})
add_custom_command(
  OUTPUT ${seccomp_sources} ${seccomp_docker_profiles} ${seccomp_folder}/seccomp_container.json
  COMMAND seccomp_compiler ${seccomp_profile} ${seccomp_folder}
  DEPENDS seccomp_compiler ${seccomp_profile}
  COMMENT "Compiling the seccomp profile"
  VERBATIM)
target_sources(confine PRIVATE ${seccomp_sources})
casemate_embed(confine NAME OciSeccomp FILES ${seccomp_folder}/seccomp_container.json)

set(process_profile
  ${CMAKE_SOURCE_DIR}/profiles/seccomp/process.toml
  ${CMAKE_SOURCE_DIR}/profiles/seccomp/process_refusals.toml)
set(process_sources
  ${seccomp_folder}/seccomp_process_x86_64.cc ${seccomp_folder}/seccomp_process_aarch64.cc)
add_custom_command(
  OUTPUT ${process_sources}
  COMMAND seccomp_compiler ${process_profile} ${seccomp_folder}
  DEPENDS seccomp_compiler ${process_profile} ${seccomp_profile}
  COMMENT "Compiling the seccomp profile of the process tier"
  VERBATIM)
target_sources(confine PRIVATE ${process_sources})
# zygote/inside compiles them too.
set_property(TARGET confine PROPERTY SECCOMP_SOURCES ${seccomp_sources})
set_property(TARGET confine PROPERTY SECCOMP_DOCKER_PROFILES ${seccomp_docker_profiles})

if(TARGET confine_test)
  # The tests read the profile itself, and run the compiler on faulty ones.
  target_link_libraries(confine_test PRIVATE dep::tomlplusplus)
  target_compile_definitions(confine_test PRIVATE
    CASEMATE_SECCOMP_COMPILER="$<TARGET_FILE:seccomp_compiler>")
  add_dependencies(confine_test seccomp_compiler)
endif()
