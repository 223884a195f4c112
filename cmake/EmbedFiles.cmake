# SPDX-License-Identifier: Apache-2.0
#
# cmake -D OUT=file.cpp -D ROOT=dir -D FILES=a;b -P EmbedFiles.cmake: the texts of files as
# embedded_files() of cli/plan/catalogue.hpp, each under its path from ROOT.

set(entries "")
foreach(file IN LISTS FILES)
    file(READ "${file}" text)
    cmake_path(RELATIVE_PATH file BASE_DIRECTORY "${ROOT}" OUTPUT_VARIABLE path)
    string(APPEND entries "    {\"${path}\", R\"embedded(${text})embedded\"},\n")
endforeach()
file(WRITE "${OUT}" "#include \"cli/plan/catalogue.hpp\"

namespace ciuic::cli::plan {
namespace {
constexpr EmbeddedFile files[] = {
${entries}};
}  // namespace
std::span<const EmbeddedFile> embedded_files() { return files; }
}  // namespace ciuic::cli::plan
")
