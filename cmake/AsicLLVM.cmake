# The one place that knows where LLVM and MLIR are and how to link them.

# 22.1: the program text, the passes and the prebuilt libraries must be of one
# version; plain "22" is refused by LLVM's own version file.
set(ASIC_LLVM_VERSION 22.1)
find_package(LLVM ${ASIC_LLVM_VERSION} REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/llvm)
if(ASIC_ENABLE_MLIR)
  find_package(MLIR ${ASIC_LLVM_VERSION} REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
  list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR})
endif()
list(APPEND CMAKE_MODULE_PATH ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
if(ASIC_ENABLE_MLIR)
  include(AddMLIR)
endif()
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
separate_arguments(ASIC_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")
add_definitions(${ASIC_LLVM_DEFINITIONS})

# A wheel brings what it needs: no library that LLVM only may use, compression
# from the archive, and no LLVM symbol that another extension could meet.
if(ASIC_STATIC_LLVM)
  add_link_options(-Wl,--as-needed -Wl,--exclude-libs,ALL)
  if(TARGET zstd::libzstd_shared AND zstd_STATIC_LIBRARY)
    set_target_properties(zstd::libzstd_shared PROPERTIES
      IMPORTED_LOCATION ${zstd_STATIC_LIBRARY})
  endif()
endif()

# Debian's MLIR archives name the shared LLVM as their dependency; a wheel wants
# the archives behind it.
if(ASIC_STATIC_LLVM AND ASIC_ENABLE_MLIR)
  llvm_map_components_to_libnames(asicLLVMArchives native core support orcjit
    passes ipo irreader bitreader bitwriter linker asmparser mirparser
    frontendopenmp targetparser executionengine jitlink orctargetprocess
    debuginfodwarf transformutils instrumentation perfjitevents
    SPIRV NVPTX AMDGPU)
  add_library(AsicLLVMArchives INTERFACE)
  target_link_libraries(AsicLLVMArchives INTERFACE ${asicLLVMArchives})
  get_property(importedTargets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(imported IN LISTS importedTargets)
    if(imported MATCHES "^MLIR.+")
      get_target_property(needs ${imported} INTERFACE_LINK_LIBRARIES)
      if(needs)
        list(TRANSFORM needs REPLACE "^(LLVM|[$]<LINK_ONLY:LLVM>)$"
          AsicLLVMArchives)
        list(REMOVE_ITEM needs MLIR)
        set_target_properties(${imported} PROPERTIES
          INTERFACE_LINK_LIBRARIES "${needs}")
      endif()
    endif()
  endforeach()
endif()

# `asic_link_llvm(target)` / `asic_link_mlir(target)`: shared libraries for
# development (small tools, quick links), static ones for wheels.
function(asic_link_llvm target)
  if(ASIC_STATIC_LLVM)
    llvm_map_components_to_libnames(libs support)
    target_link_libraries(${target} PUBLIC ${libs})
  else()
    target_link_libraries(${target} PUBLIC LLVM)
  endif()
endfunction()

function(asic_link_mlir target)
  if(ASIC_STATIC_LLVM)
    get_property(dialects GLOBAL PROPERTY MLIR_DIALECT_LIBS)
    get_property(conversions GLOBAL PROPERTY MLIR_CONVERSION_LIBS)
    get_property(extensions GLOBAL PROPERTY MLIR_EXTENSION_LIBS)
    get_property(translations GLOBAL PROPERTY MLIR_TRANSLATION_LIBS)
    target_link_libraries(${target} PUBLIC ${dialects} ${conversions}
      ${extensions} ${translations} MLIRIR MLIRParser MLIRPass MLIROptLib
      MLIRLspServerLib MLIRReduceLib MLIRExecutionEngine MLIRRegisterAllDialects
      MLIRRegisterAllExtensions MLIRRegisterAllPasses)
  else()
    target_link_libraries(${target} PUBLIC MLIR LLVM)
  endif()
endfunction()
