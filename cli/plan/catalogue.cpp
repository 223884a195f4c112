// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/catalogue.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace ciuic::cli::plan {
namespace {

constexpr std::string_view suffix = ".toml";

bool is_path(std::string_view name) {
    return name.find('/') != std::string_view::npos || name.ends_with(suffix);
}

std::string path_in(std::string_view folder, std::string_view name) {
    return "data/" + std::string(folder) + "/" + std::string(name) + std::string(suffix);
}

std::string unknown(std::string_view folder, const std::string& name) {
    std::string known;
    for (const std::string& one : names_in(folder)) known += (known.empty() ? "" : ", ") + one;
    const std::string kind(folder.substr(0, folder.size() - 1));
    return "no " + kind + " is called \"" + name + "\"; there are " + known +
           "; or give a file, like ./mine.toml";
}

struct Source {
    std::string path;
    std::string text;
    std::string complaint;
};

Source source_of(std::string_view folder, const std::string& name) {
    if (is_path(name)) {
        errno = 0;
        std::ifstream file(name);
        std::ostringstream text;
        if (!file.is_open() || !(text << file.rdbuf()))
            return {name, "",
                    name + ": cannot be read (" + std::strerror(errno ? errno : EIO) + ")"};
        return {name, text.str(), ""};
    }
    const std::string path = path_in(folder, name);
    const auto files = embedded_files();
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&](const EmbeddedFile& file) { return file.path == path; });
    if (found == files.end()) return {path, "", unknown(folder, name)};
    return {path, std::string(found->text), ""};
}

template <typename File>
std::string find(std::string_view folder, const std::string& name, File& file,
                 std::string (*read)(const std::string&, std::string_view, File&)) {
    const Source source = source_of(folder, name);
    if (!source.complaint.empty()) return source.complaint;
    file.name = name;
    return read(source.path, source.text, file);
}

}  // namespace

std::vector<std::string> names_in(std::string_view folder) {
    const std::string prefix = "data/" + std::string(folder) + "/";
    std::vector<std::string> names;
    for (const EmbeddedFile& file : embedded_files())
        if (file.path.starts_with(prefix))
            names.emplace_back(
                file.path.substr(prefix.size(), file.path.size() - prefix.size() - suffix.size()));
    std::sort(names.begin(), names.end());
    return names;
}

std::string find_card(const std::string& name, CardFile& card) {
    return find("cards", name, card, read_card);
}

std::string find_host(const std::string& name, HostFile& host) {
    return find("hosts", name, host, read_host);
}

std::string find_model(const std::string& name, ModelFile& model) {
    return find("models", name, model, read_model);
}

std::string list_text() {
    std::string text;
    const auto add = [&](std::string name, const std::string& title) {
        name.resize(std::max<size_t>(name.size() + 2, 20), ' ');
        text += "  " + name + title + "\n";
    };
    text += "models\n";
    for (const std::string& name : names_in("models")) {
        ModelFile model;
        if (find_model(name, model).empty()) add(name, model.title);
    }
    text += "cards\n";
    for (const std::string& name : names_in("cards")) {
        CardFile card;
        if (find_card(name, card).empty()) add(name, card.title);
    }
    text += "hosts\n";
    for (const std::string& name : names_in("hosts")) {
        HostFile host;
        if (find_host(name, host).empty()) add(name, host.title);
    }
    return text;
}

}  // namespace ciuic::cli::plan
