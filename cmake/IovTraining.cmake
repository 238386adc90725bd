# SPDX-License-Identifier: Apache-2.0
# The library built twice (decision 13): first with counters, in <build>/training, which some experiments fill, then by what they counted. A
# change of the library is counted again.
if(CMAKE_SCRIPT_MODE_FILE) # with SOURCE, FOLDER, GENERATOR, OPTIONS: each way of giving a guest its network, and many guests at once
  function(run)
    execute_process(COMMAND ${ARGN} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  endfunction()
  cmake_host_system_information(RESULT processors QUERY NUMBER_OF_LOGICAL_CORES)
  file(REMOVE_RECURSE ${FOLDER}/counts ${FOLDER}/results)
  run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${FOLDER} ${OPTIONS})
  run(${CMAKE_COMMAND} --build ${FOLDER} --target iovsim_cli --parallel ${processors})
  set(iovsim ${FOLDER}/bindings/cli/iovsim)
  run(${iovsim} compare ${SOURCE}/configs/net-rr.yaml -o ${FOLDER}/results/rr)
  run(${iovsim} compare ${SOURCE}/configs/udp-stream.yaml -o ${FOLDER}/results/stream)
  foreach(strategy vhost-net sriov-vf)
    run(${iovsim} run ${SOURCE}/configs/scaling.yaml --quiet --set strategy=${strategy} -o ${FOLDER}/results/${strategy})
  endforeach()
  file(TOUCH ${FOLDER}/counted)
  return()
endif()

option(IOV_TRAINING "Optimize the library by the counts of a training build (GCC 12 or later)" OFF)
option(IOV_TRAINEE "Be a training build" OFF)
mark_as_advanced(IOV_TRAINEE)

# To be called when all sources are known.
function(iov_train target)
  set(folder ${CMAKE_BINARY_DIR}/training)
  if(IOV_TRAINEE)
    set(counters -fprofile-generate=${CMAKE_BINARY_DIR}/counts -fprofile-prefix-path=${CMAKE_BINARY_DIR} -fprofile-update=single)
    target_compile_options(${target} PRIVATE ${counters})
    target_link_options(iovsim PRIVATE ${counters})
    return()
  endif()
  if(NOT IOV_TRAINING)
    return()
  endif()
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "GNU" OR CMAKE_C_COMPILER_VERSION VERSION_LESS 12 OR IOV_SANITIZE)
    message(STATUS "no training: IOV_TRAINING needs GCC 12 or later, without sanitizers")
    return()
  endif()
  string(TOUPPER "CMAKE_C_FLAGS_${CMAKE_BUILD_TYPE}" flags)
  set(options -DIOV_TRAINEE=ON -DIOV_TESTS=OFF -DIOV_BENCH=OFF -DIOV_LTO=OFF -DIOV_SYSTEMC=OFF)
  foreach(variable CMAKE_BUILD_TYPE CMAKE_C_COMPILER CMAKE_C_COMPILER_LAUNCHER CMAKE_C_FLAGS ${flags} CMAKE_MAKE_PROGRAM)
    list(APPEND options "-D${variable}=${${variable}}")
  endforeach()
  get_target_property(sources ${target} SOURCES)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/*.h ${CMAKE_SOURCE_DIR}/models/*.h)
  add_custom_command(OUTPUT ${folder}/counted COMMENT "Training build"
    COMMAND ${CMAKE_COMMAND} -D SOURCE=${CMAKE_SOURCE_DIR} -D FOLDER=${folder} -D GENERATOR=${CMAKE_GENERATOR} -D "OPTIONS=${options}"
      -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    DEPENDS ${sources} ${headers}
    VERBATIM)
  set_property(SOURCE ${sources} TARGET_DIRECTORY ${target} APPEND PROPERTY OBJECT_DEPENDS ${folder}/counted)
  # What was not run keeps its speed. What each experiment ran is hot, not only what most of them did, and is put in line where it is called.
  target_compile_options(${target} PRIVATE -fprofile-use=${folder}/counts -fprofile-prefix-path=${CMAKE_BINARY_DIR} -fprofile-partial-training
    --param=hot-bb-count-ws-permille=999 --param=inline-unit-growth=80 --param=max-inline-insns-single=200
    -Wno-missing-profile -Wno-maybe-uninitialized) # the latter guesses by what is in line
endfunction()
