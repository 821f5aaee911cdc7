# Writes OUTPUT: one {name, text} initializer per file of the list PRESETS.
set(content "")
foreach(preset IN LISTS PRESETS)
  get_filename_component(name ${preset} NAME_WE)
  file(READ ${preset} text)
  string(APPEND content "{\"${name}\", R\"yaml(${text})yaml\"},\n")
endforeach()
file(WRITE ${OUTPUT} "${content}")
