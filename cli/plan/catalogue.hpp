// SPDX-License-Identifier: Apache-2.0
//
// The cards, hosts and models that come with Ciuic, by name: the files of data/, which are part of
// the program, so that it finds them wherever it is. A name with a slash, or that ends in ".toml",
// is a file of the user's.
//
// Not here: what is in them (files).
// Threads: any.
#pragma once

#include "cli/plan/files.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ciuic::cli::plan {

struct EmbeddedFile {
    std::string_view path;  // "data/cards/rtx-4090.toml"
    std::string_view text;
};

// Written when the program is built (cmake/EmbedFiles.cmake).
std::span<const EmbeddedFile> embedded_files();

// The names in "cards", "hosts" or "models", sorted.
std::vector<std::string> names_in(std::string_view folder);

// One line, or nothing where all is well.
std::string find_card(const std::string& name, CardFile& card);
std::string find_host(const std::string& name, HostFile& host);
std::string find_model(const std::string& name, ModelFile& model);

// All names and titles, for people.
std::string list_text();

}  // namespace ciuic::cli::plan
