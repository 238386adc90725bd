# SPDX-License-Identifier: Apache-2.0
# iov_add_model(<kind> SOURCES <file>...) adds one kind to the library: its sources are built and the kind is registered
# under the GObject type iov_<kind>_get_type. Its test (tests/models/<family>/test-<kind>.c) is found by name.
function(iov_add_model kind)
  cmake_parse_arguments(MODEL "" "" "SOURCES" ${ARGN})
  list(TRANSFORM MODEL_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  target_sources(iovsim_objects PRIVATE ${MODEL_SOURCES})
  string(REPLACE "-" "_" function ${kind})
  set_property(GLOBAL APPEND PROPERTY IOV_KINDS iov_${function}_get_type)
endfunction()

# Sources that several kinds of a family share, or a folder of core.
function(iov_add_sources)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  target_sources(iovsim_objects PRIVATE ${ARGN})
endfunction()

# Writes the table of the kinds that are built in.
function(iov_write_builtin_kinds)
  get_property(functions GLOBAL PROPERTY IOV_KINDS)
  list(SORT functions)
  set(text "/* Written by cmake/IovModel.cmake. */\n#include \"core/object/registry-private.h\"\n\n")
  foreach(function ${functions})
    string(APPEND text "GType ${function}(void);\n")
  endforeach()
  string(APPEND text "\niov_kind_type_fn *const iov_builtin_kinds[] = {\n")
  foreach(function ${functions})
    string(APPEND text "    ${function},\n")
  endforeach()
  string(APPEND text "    NULL,\n};\n")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/builtin-kinds.c CONTENT "${text}" @ONLY)
  target_sources(iovsim_objects PRIVATE ${CMAKE_BINARY_DIR}/builtin-kinds.c)
endfunction()
