# Prints what the component FILE says to its build system: cmake -DFILE=... -P component.cmake
foreach(name zephyr_include_directories zephyr_library zephyr_library_sources zephyr_library_compile_definitions idf_component_register)
  function(${name})
    message("${ARGN}")
  endfunction()
endforeach()
include(${FILE})
