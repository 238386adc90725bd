# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: libraries, the headers a user may rely on, platform and configuration files, and the two
# ways to find them all (pkg-config, find_package). The tree may be moved as a whole after it is installed.
include(CMakePackageConfigHelpers)

install(TARGETS iovsim iovsim_static EXPORT iovsimTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

if(TARGET iovsim_cli) # the installed command finds its library where the tree stands
  set_target_properties(iovsim_cli PROPERTIES INSTALL_RPATH "\$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
endif()

# Headers are included as in the sources: "core/port/mem.h" below include/iovsim.
set(IOV_INSTALL_INCLUDE ${CMAKE_INSTALL_INCLUDEDIR}/iovsim)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/core DESTINATION ${IOV_INSTALL_INCLUDE}
  FILES_MATCHING PATTERN "*.h" PATTERN "*-private.h" EXCLUDE PATTERN "fiber-switch.h" EXCLUDE)
# Register maps are facts of specifications that drivers and devices share.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/models DESTINATION ${IOV_INSTALL_INCLUDE}
  FILES_MATCHING PATTERN "*-regs.h")
foreach(folder platforms configs)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${folder})
    install(DIRECTORY ${CMAKE_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_DATADIR}/iovsim
      FILES_MATCHING PATTERN "*.yaml")
  endif()
endforeach()

# pkg-config works from where iovsim.pc lies; libdir may have more than one part (lib/x86_64-linux-gnu).
file(RELATIVE_PATH IOV_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
get_filename_component(IOV_PC_FIBER "${IOV_FIBER_LIBRARY}" NAME_WE)
string(REGEX REPLACE "^lib" "-l" IOV_PC_FIBER "${IOV_PC_FIBER}")
configure_file(${CMAKE_SOURCE_DIR}/cmake/iovsim.pc.in ${CMAKE_BINARY_DIR}/iovsim.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/iovsim.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(IOV_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/iovsim)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/iovsimConfig.cmake.in ${CMAKE_BINARY_DIR}/iovsimConfig.cmake
  INSTALL_DESTINATION ${IOV_CMAKE_FOLDER})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/iovsimConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/iovsimConfig.cmake ${CMAKE_BINARY_DIR}/iovsimConfigVersion.cmake
  DESTINATION ${IOV_CMAKE_FOLDER})
install(EXPORT iovsimTargets NAMESPACE iovsim:: DESTINATION ${IOV_CMAKE_FOLDER})
