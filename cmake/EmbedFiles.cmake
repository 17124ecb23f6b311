# casemate_embed(TARGET HEADER name NAMESPACE ns FILES a b): makes HEADER.{h,cc} in which each file is a
# std::string_view found by its name, so that build/casemate needs no data folder beside it.
function(casemate_embed target)
  cmake_parse_arguments(ARG "" "NAME" "FILES" ${ARGN})
  set(depends)
  foreach(file IN LISTS ARG_FILES)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_SOURCE_DIR})
    list(APPEND depends ${file})
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/embedded/${ARG_NAME}.cc)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E env python3 ${CMAKE_SOURCE_DIR}/tools/embed.py
            --name ${ARG_NAME} --output ${out} ${ARG_FILES}
    DEPENDS ${depends} ${CMAKE_SOURCE_DIR}/tools/embed.py
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    VERBATIM)
  # Programs are longer than what the standard asks every compiler to take.
  set_source_files_properties(${out} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
  target_sources(${target} PRIVATE ${out})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include)
endfunction()
