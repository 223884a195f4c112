// SPDX-License-Identifier: Apache-2.0
//
// Cards, hosts and models as data files have them. A number that cannot be is refused, with its
// line: no bandwidth, a link faster than its wires, a shape whose parameters are not the published.
//
// Not here: where the files are (catalogue).
// Threads: any.
#pragma once

#include "machine/hardware.hpp"
#include "machine/model_shape.hpp"

#include <map>
#include <string>
#include <string_view>

namespace ciuic::cli::plan {

struct CardFile {
    std::string name;
    std::string title;
    std::string usual_host;
    machine::Card card;
};

struct HostFile {
    std::string name;
    std::string title;
    machine::Host host;
};

struct ModelFile {
    std::string name;
    std::string title;
    machine::ModelShape shape;
    std::map<std::string, double> utilisation;  // of a denoising step, by card; else "other"
};

// One line, or nothing where all is well. The name is the caller's to set.
std::string read_card(const std::string& path, std::string_view text, CardFile& card);
std::string read_host(const std::string& path, std::string_view text, HostFile& host);
std::string read_model(const std::string& path, std::string_view text, ModelFile& model);

}  // namespace ciuic::cli::plan
