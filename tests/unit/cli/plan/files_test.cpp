// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/files.hpp"

#include "cli/plan/catalogue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ciuic::cli::plan::test {
namespace {

std::string text_of(const std::string& path) {
    for (const EmbeddedFile& file : embedded_files())
        if (file.path == path) return std::string(file.text);
    ADD_FAILURE() << path << " is not embedded";
    return {};
}

struct Damage {
    const char* from;
    const char* to;
    const char* complaint;  // the whole line
};

template <typename File>
void expect_complaints(const std::string& path, const std::vector<Damage>& damages,
                       std::string (*read)(const std::string&, std::string_view, File&)) {
    const std::string good = text_of(path);
    File file;
    ASSERT_EQ(read("f", good, file), "");
    for (const Damage& damage : damages) {
        SCOPED_TRACE(damage.complaint);
        std::string bad = good;
        const size_t at = bad.find(damage.from);
        ASSERT_NE(at, std::string::npos) << damage.from;
        bad.replace(at, std::string(damage.from).size(), damage.to);
        File damaged;
        EXPECT_EQ(read("f", bad, damaged), damage.complaint);
    }
}

// Goal: every mistake in a card's file is one line that says where and what. Method: a good file
// with one thing wrong.
TEST(Files, BadCards) {
    expect_complaints<CardFile>(
        "data/cards/rtx-4090.toml",
        {{"bandwidth_gb_per_s = 1008", "bandwidth_gb_per_s = 0",
          "f:7: [memory] bandwidth_gb_per_s: 0 is not possible; give 0.001 to 1e+06"},
         {"size_gib = 24", "size_gib = 24000",
          "f:6: [memory] size_gib: 24000 is not possible; give 0.25 to 4096"},
         {"size_gib = 24", "size_gib = \"24\"", "f:6: [memory] size_gib: not a number"},
         {"size_gib = 24\n", "", "f:5: [memory] size_gib is missing"},
         {"size_gib = 24", "size_gb = 24",
          "f:6: [memory] size_gb: unknown; known here: size_gib, bandwidth_gb_per_s"},
         {"size_gib = 24", "size_gib = nan", "f:6: [memory] size_gib: not a number"},
         {"lanes = 16", "lanes = 15.5", "f:31: [link] lanes: not a whole number"},
         {"compute = 0.6", "compute = 1.2",
          "f:17: [utilisation] compute: 1.2 is not possible; give 0.001 to 1"},
         {"to_device_gb_per_s = 25", "to_device_gb_per_s = 40",
          "f:36: [transfer] to_device_gb_per_s: 40 is more than the link's wires carry, 31.5"},
         {"context_mb = 500", "context_mb = 30000",
          "f:24: [reserve] context_mb: with staging, more than the card's memory"},
         {"source = \"NVIDIA, Ada GPU Architecture whitepaper V2.01, appendix A, RTX 4090", "#",
          "f:5: [memory] has no source; write source = \"...\", or assumed = true and reason = "
          "\"...\""},
         {"assumed = true", "assumed = false",
          "f:15: [utilisation] has no source; write source = \"...\", or assumed = true and "
          "reason = \"...\""},
         {"[memory]", "[memory",
          "f:5: not TOML (Error while parsing table header: expected ']', saw '\\n'); correct the "
          "line"},
         {"[memory]", "[ram]",
          "f:5: ram: unknown; known: title, usual_host, [memory], [compute], [utilisation], "
          "[reserve], [link], [transfer], [latency], [mapping]"},
         {"title =", "name =", "f:1: title is missing"},
         {"title = \"NVIDIA GeForce RTX 4090 24 GB\"", "title = 4090",
          "f:2: title: not a text; write it in quotes"}},
        read_card);
}

TEST(Files, BadHosts) {
    expect_complaints<HostFile>(
        "data/hosts/desktop-ddr5-32g.toml",
        {{"system_gib = 4", "system_gib = 32",
          "f:10: [reserve] system_gib: as much as the memory, or more"},
         {"read_gb_per_s = 7.45", "read_gb_per_s = -1",
          "f:33: [disk] read_gb_per_s: -1 is not possible; give 0.001 to 1e+06"}},
        read_host);
}

TEST(Files, BadModels) {
    expect_complaints<ModelFile>(
        "data/models/deepseek-moe-16b.toml",
        {{"layers = 28", "layers = 29",
          "f:27: [published] parameters_billion: 16.38, but the shape has 16.9636"},
         {"kv_heads = 16", "kv_heads = 5",
          "f:9: [shape] kv_heads: heads, 16, are not a multiple of it"},
         {"dense_layers = 1", "dense_layers = 28",
          "f:18: [experts] dense_layers: leaves no layer with experts"},
         {"active = 6", "active = 65", "f:21: [experts] active: more than there are in a layer"},
         {"tied_embedding = false", "tied_embedding = 0",
          "f:14: [shape] tied_embedding: neither true nor false"},
         {"kind = \"transformer\"", "kind = \"mamba\"",
          "f:3: kind: not one of transformer, diffusion"},
         {"kind = \"transformer\"\n", "", "f:1: kind is missing"}},
        read_model);
    expect_complaints<ModelFile>(
        "data/models/sdxl.toml",
        {{"other = 0.45\n", "", "f:26: [utilisation] other is missing"},
         {"h100-sxm = 0.2", "h100-sxm = 2",
          "f:37: [utilisation] h100-sxm: 2 is not possible; give 0.001 to 1"},
         {"tflop = 11.955", "tflop = 0",
          "f:18: [step] tflop: 0 is not possible; give 1e-06 to 1e+06"}},
        read_model);
}

// Goal: a missing section is named with what belongs into it; an optional one is not missed.
TEST(Files, MissingSections) {
    std::string card = text_of("data/cards/rtx-4090.toml");
    card.resize(card.find("[mapping]"));
    CardFile read;
    EXPECT_EQ(read_card("f", card, read),
              "f:1: [mapping] is missing; its keys: chunk_mib, map_us, set_access_us, unmap_us");
    std::string model = text_of("data/models/sd-1.5.toml");
    model.resize(model.find("[utilisation]"));
    ModelFile shape;
    EXPECT_EQ(read_model("f", model, shape), "f:1: [utilisation] is missing; its keys: other");
    EXPECT_EQ(text_of("data/models/llama-7b.toml").find("[experts]"), std::string::npos);
}

// Goal: no file breaks the reader. Method: a card cut off at every byte, and with every byte
// changed: it is read, or the complaint is one line with a place.
TEST(Files, DamagedFilesGetOneLine) {
    const std::string good = text_of("data/cards/a100-40g.toml");
    const auto look_at = [](const std::string& text) {
        CardFile card;
        const std::string complaint = read_card("f", text, card);
        EXPECT_TRUE(complaint.empty() || complaint.rfind("f:", 0) == 0) << complaint;
        EXPECT_EQ(complaint.find('\n'), std::string::npos);
        return complaint.empty();
    };
    for (size_t length = 0; length < good.size(); ++length) {
        SCOPED_TRACE(length);
        EXPECT_TRUE(!look_at(good.substr(0, length)) || length + 1 == good.size());
        std::string bad = good;
        bad[length] = static_cast<char>(bad[length] ^ 0x15);
        look_at(bad);
    }
}

// Goal: numbers arrive in the units that their names say. Method: one of each kind.
TEST(Files, NumbersArriveInTheirUnits) {
    CardFile card;
    ASSERT_EQ(read_card("f", text_of("data/cards/rtx-4090.toml"), card), "");
    EXPECT_EQ(card.title, "NVIDIA GeForce RTX 4090 24 GB");
    EXPECT_EQ(card.usual_host, "desktop-ddr5-32g");
    EXPECT_EQ(card.card.memory_bytes, 24ull << 30);
    EXPECT_DOUBLE_EQ(card.card.memory_peak_bytes_per_s, 1008e9);
    EXPECT_DOUBLE_EQ(card.card.peak_flop_per_s, 165.2e12);
    EXPECT_EQ(card.card.context_bytes, 500'000'000u);
    EXPECT_EQ(card.card.slot.lanes, 16u);
    EXPECT_EQ(card.card.mapped_chunk_bytes, 2u << 20);
    EXPECT_NEAR(card.card.remap_s(), 63.05e-6, 1e-9);
    ModelFile model;
    ASSERT_EQ(read_model("f", text_of("data/models/sdxl.toml"), model), "");
    EXPECT_EQ(model.shape.diffusion.denoiser_parameters, 2'567'460'000u);
    EXPECT_DOUBLE_EQ(model.utilisation.at("h100-sxm"), 0.20);
}

}  // namespace
}  // namespace ciuic::cli::plan::test
