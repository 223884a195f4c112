// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/files.hpp"

#include "base/units.hpp"
#include "cli/plan/fields.hpp"

#include <cmath>
#include <vector>

namespace ciuic::cli::plan {
namespace {

constexpr double gib = GiB;
constexpr double mega = 1e6;
constexpr double giga = 1e9;
constexpr double tera = 1e12;
constexpr double micro = 1e-6;
constexpr double rate_least = 0.001;  // GB/s
constexpr double rate_most = 1e6;

// What the wires carry, after line code: 0.985 GB/s a lane in generation 3, then doubling.
double wire_bytes_per_s(const machine::Slot& slot) {
    return 0.9846e9 * std::pow(2.0, static_cast<double>(slot.generation) - 3) * slot.lanes;
}

std::string check_card(const std::string& path, const toml::table& file, const CardFile& read) {
    const machine::Card& card = read.card;
    for (const auto& [key, rate] : {std::pair{"to_device_gb_per_s", card.to_device_bytes_per_s},
                                    {"to_host_gb_per_s", card.to_host_bytes_per_s}})
        if (rate > wire_bytes_per_s(card.slot))
            return place_of(path, file, "transfer", key) + number_text(rate / giga) +
                   " is more than the link's wires carry, " +
                   number_text(std::floor(wire_bytes_per_s(card.slot) / giga * 10) / 10);
    if (card.context_bytes + card.staging_bytes >= card.memory_bytes)
        return place_of(path, file, "reserve", "context_mb") +
               "with staging, more than the card's memory";
    return {};
}

std::string check_host(const std::string& path, const toml::table& file, const HostFile& read) {
    if (read.host.reserved_bytes >= read.host.memory_bytes)
        return place_of(path, file, "reserve", "system_gib") + "as much as the memory, or more";
    return {};
}

std::vector<Field> transformer_fields(ModelFile& model, double& published) {
    machine::Transformer& shape = model.shape.transformer;
    return {{"shape", "layers", &shape.layers, 1, 1, 1000},
            {"shape", "hidden", &shape.hidden, 1, 1, 1e6},
            {"shape", "heads", &shape.heads, 1, 1, 10000},
            {"shape", "kv_heads", &shape.kv_heads, 1, 1, 10000},
            {"shape", "head_width", &shape.head_width, 1, 1, 10000},
            {"shape", "intermediate", &shape.intermediate, 1, 1, 1e7},
            {"shape", "mlp_matrices", &shape.mlp_matrices, 1, 2, 3},
            {"shape", "vocabulary", &shape.vocabulary, 1, 1, 1e7},
            {"shape", "tied_embedding", &shape.tied_embedding},
            {"experts", "dense_layers", &shape.dense_layers, 1, 0, 1000},
            {"experts", "per_layer", &shape.experts, 1, 1, 10000},
            {"experts", "shared", &shape.shared_experts, 1, 0, 1000},
            {"experts", "active", &shape.active_experts, 1, 1, 10000},
            {"experts", "intermediate", &shape.expert_intermediate, 1, 1, 1e7},
            {"published", "parameters_billion", &published, giga, 0.000001, 1e5},
            {"storage", "weight_bits", &model.shape.weight_bits, 1, 1, 64},
            {"storage", "kv_bits", &shape.kv_bits, 1, 1, 64},
            {"activation", "workspace_mb", &shape.workspace_bytes, mega, 0, 1e5}};
}

std::string check_transformer(const std::string& path, const toml::table& file,
                              const machine::ModelShape& model, double published) {
    const machine::Transformer& shape = model.transformer;
    if (shape.heads % shape.kv_heads != 0)
        return place_of(path, file, "shape", "kv_heads") + "heads, " + number_text(shape.heads) +
               ", are not a multiple of it";
    if (shape.experts > 0 && shape.dense_layers >= shape.layers)
        return place_of(path, file, "experts", "dense_layers") + "leaves no layer with experts";
    if (shape.active_experts > shape.experts)
        return place_of(path, file, "experts", "active") + "more than there are in a layer";
    const double counted = static_cast<double>(parameters(model));
    if (std::fabs(counted - published) > 0.01 * published)
        return place_of(path, file, "published", "parameters_billion") +
               number_text(published / giga) + ", but the shape has " + number_text(counted / giga);
    return {};
}

std::string read_transformer(const std::string& path, const toml::table& file,
                             std::span<const TextField> texts, ModelFile& model) {
    constexpr const char* optional[] = {"experts"};
    double published = 0;
    const std::vector<Field> fields = transformer_fields(model, published);
    model.shape.kind = machine::ModelKind::transformer;
    std::string complaint = read_fields(path, file, {texts, fields, optional, {}});
    if (!complaint.empty()) return complaint;
    return check_transformer(path, file, model.shape, published);
}

std::string read_diffusion(const std::string& path, const toml::table& file,
                           std::span<const TextField> texts, ModelFile& model) {
    machine::Diffusion& shape = model.shape.diffusion;
    model.shape.kind = machine::ModelKind::diffusion;
    const std::vector<Field> fields = {
        {"parts", "denoiser_million", &shape.denoiser_parameters, mega, 0.001, 1e6},
        {"parts", "text_encoders_million", &shape.text_encoder_parameters, mega, 0, 1e6},
        {"parts", "decoder_million", &shape.decoder_parameters, mega, 0, 1e6},
        {"storage", "weight_bits", &model.shape.weight_bits, 1, 1, 64},
        {"step", "tflop", &shape.step_flop, tera, 0.000001, 1e6},
        {"activation", "size_mb", &shape.activation_bytes, mega, 0, 1e6}};
    return read_fields(path, file,
                       {texts, fields, {}, {"utilisation", &model.utilisation, 0.001, 1}});
}

}  // namespace

std::string read_card(const std::string& path, std::string_view text, CardFile& read) {
    toml::table file;
    if (std::string complaint = parse(path, text, file); !complaint.empty()) return complaint;
    machine::Card& card = read.card;
    const std::vector<TextField> texts = {{"title", &read.title}, {"usual_host", &read.usual_host}};
    const std::vector<Field> fields = {
        {"memory", "size_gib", &card.memory_bytes, gib, 0.25, 4096},
        {"memory", "bandwidth_gb_per_s", &card.memory_peak_bytes_per_s, giga, rate_least,
         rate_most},
        {"compute", "dense_tflop_per_s", &card.peak_flop_per_s, tera, 0.001, 1e6},
        {"utilisation", "compute", &card.compute_utilisation, 1, 0.001, 1},
        {"utilisation", "bandwidth", &card.bandwidth_share, 1, 0.001, 1},
        {"reserve", "context_mb", &card.context_bytes, mega, 0, 1e5},
        {"reserve", "staging_mb", &card.staging_bytes, mega, 0, 1e5},
        {"link", "pcie_generation", &card.slot.generation, 1, 1, 8},
        {"link", "lanes", &card.slot.lanes, 1, 1, 32},
        {"transfer", "to_device_gb_per_s", &card.to_device_bytes_per_s, giga, rate_least,
         rate_most},
        {"transfer", "to_host_gb_per_s", &card.to_host_bytes_per_s, giga, rate_least, rate_most},
        {"latency", "copy_us", &card.copy_latency_s, micro, 0, 1e5},
        {"mapping", "chunk_mib", &card.mapped_chunk_bytes, static_cast<double>(MiB), 0.0625, 1024},
        {"mapping", "map_us", &card.map_s, micro, 0, 1e6},
        {"mapping", "set_access_us", &card.set_access_s, micro, 0, 1e6},
        {"mapping", "unmap_us", &card.unmap_s, micro, 0, 1e6}};
    std::string complaint = read_fields(path, file, {texts, fields, {}, {}});
    return complaint.empty() ? check_card(path, file, read) : complaint;
}

std::string read_host(const std::string& path, std::string_view text, HostFile& read) {
    toml::table file;
    if (std::string complaint = parse(path, text, file); !complaint.empty()) return complaint;
    machine::Host& host = read.host;
    const std::vector<TextField> texts = {{"title", &read.title}};
    const std::vector<Field> fields = {
        {"memory", "size_gib", &host.memory_bytes, gib, 0.25, 1e6},
        {"reserve", "system_gib", &host.reserved_bytes, gib, 0, 1e6},
        {"bandwidth", "memory_gb_per_s", &host.memory_bytes_per_s, giga, rate_least, rate_most},
        {"compute", "tflop_per_s", &host.flop_per_s, tera, 0.001, 1e6},
        {"link", "pcie_generation", &host.slot.generation, 1, 1, 8},
        {"link", "lanes", &host.slot.lanes, 1, 1, 32},
        {"disk", "read_gb_per_s", &host.disk_read_bytes_per_s, giga, rate_least, rate_most},
        {"disk_write", "write_gb_per_s", &host.disk_write_bytes_per_s, giga, rate_least, rate_most},
        {"disk_latency", "read_us", &host.disk_latency_s, micro, 0, 1e6}};
    std::string complaint = read_fields(path, file, {texts, fields, {}, {}});
    return complaint.empty() ? check_host(path, file, read) : complaint;
}

std::string read_model(const std::string& path, std::string_view text, ModelFile& model) {
    toml::table file;
    if (std::string complaint = parse(path, text, file); !complaint.empty()) return complaint;
    std::string kind;
    const std::vector<TextField> texts = {{"title", &model.title}, {"kind", &kind}};
    const auto written = file["kind"].value_exact<std::string>();
    if (written == "diffusion") return read_diffusion(path, file, texts, model);
    if (!written || written == "transformer") return read_transformer(path, file, texts, model);
    return path + ":" + std::to_string(file.get("kind")->source().begin.line) +
           ": kind: not one of transformer, diffusion";
}

}  // namespace ciuic::cli::plan
