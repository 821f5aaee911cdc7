# How this project builds its own libraries and tools.

add_compile_options(-Wall -Wextra -Wno-unused-parameter -ffp-contract=off)
# ccache can only reuse a precompiled header that carries no time stamp.
add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
# LLVM is built without exceptions; the Python extension switches them on for
# itself.
if(ASIC_SANITIZE)
  # A loop that instrumentation keeps from being vectorized is no news.
  add_compile_options(-fsanitize=${ASIC_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -Wno-pass-failed)
  add_link_options(-fsanitize=${ASIC_SANITIZE})
endif()

# asic_add_library(Name SOURCES a.cpp … LINK lib …): machine side, no MLIR.
function(asic_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE -fno-exceptions)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# asic_add_mlir_library(Name SOURCES a.cpp … LINK lib … DEPENDS tablegen …):
# compiler side, with the shared precompiled header.
function(asic_add_mlir_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE -fno-exceptions)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(TARGET AsicPch)
    target_precompile_headers(${name} REUSE_FROM AsicPch)
    target_link_libraries(${name} PUBLIC AsicPch)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()
