# What tools/fetch brings: tree-sitter and its Python grammar as dep::tree_sitter, RestrictedPython as files.
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/fetch RESULT_VARIABLE fetched)
if(NOT fetched EQUAL 0)
  message(FATAL_ERROR "tools/fetch failed; its own words are above.")
endif()
set(CASEMATE_SOURCES ${CMAKE_SOURCE_DIR}/.cache/sources)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/sources.txt)

set(core ${CASEMATE_SOURCES}/tree-sitter/tree_sitter/core/lib)
set(grammar ${CASEMATE_SOURCES}/tree-sitter-python/src)
# The grammar includes the runtime's headers as "tree_sitter/...".
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/views/tree_sitter_python)
file(CREATE_LINK ${core}/src ${CMAKE_BINARY_DIR}/views/tree_sitter_python/tree_sitter SYMBOLIC)
add_library(dep_tree_sitter STATIC ${core}/src/lib.c ${grammar}/parser.c ${grammar}/scanner.c)
add_library(dep::tree_sitter ALIAS dep_tree_sitter)
set_target_properties(dep_tree_sitter PROPERTIES C_STANDARD 11 C_EXTENSIONS ON)
target_compile_options(dep_tree_sitter PRIVATE -w)
if(CASEMATE_SANITIZE MATCHES "address|thread")
  target_compile_options(dep_tree_sitter PRIVATE -fsanitize=${CMAKE_MATCH_0})
endif()
target_include_directories(dep_tree_sitter PRIVATE
  ${CMAKE_BINARY_DIR}/views/tree_sitter_python ${core}/src)
target_include_directories(dep_tree_sitter SYSTEM PUBLIC ${core}/include)
