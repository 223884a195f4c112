// SPDX-License-Identifier: Apache-2.0
#include "trace/model_patterns.hpp"

#include "base/units.hpp"

#include <algorithm>
#include <string>

namespace ciuic::trace {
namespace {

constexpr double most_chunks = 1 << 16;  // of a layer
constexpr double most_layers = 1 << 10;
constexpr double most_rounds = 1 << 24;

constexpr Parameter training_parameters[] = {
    {"layers", 24, 1, most_layers, "of the network"},
    {"weights", 10, 1, most_chunks, "chunks of a layer; its gradients have as many"},
    {"activations", 6, 1, most_chunks, "chunks that a layer keeps for the way back"},
    {"moments", 2, 0, 4, "copies of the weights in the optimizer's state; Adam has two"},
    {"steps", 15, 1, most_rounds, "of training"},
};

// Forward and backward through the layers, then the optimizer over all of them.
void make_training(const Values& values, Maker& maker) {
    const uint32_t layers = values.whole("layers");
    const uint32_t weights = values.whole("weights");
    const uint32_t activations = values.whole("activations");
    const uint32_t moments = values.whole("moments") * weights;
    const uint32_t weight = maker.region("weights", layers * weights);
    const uint32_t activation = maker.region("activations", layers * activations);
    const uint32_t gradient = maker.region("gradients", layers * weights);
    const uint32_t moment = moments > 0 ? maker.region("moments", layers * moments) : 0;
    for (uint32_t step = 0; step < values.whole("steps") && maker.goes_on(); ++step) {
        maker.phase("forward");
        for (uint32_t layer = 0; layer < layers; ++layer) {
            maker.read(weight, layer * weights, weights);
            maker.write(activation, layer * activations, activations);
        }
        maker.phase("backward");
        for (uint32_t layer = layers; layer-- > 0;) {
            maker.read(activation, layer * activations, activations);
            maker.read(weight, layer * weights, weights);
            maker.write(gradient, layer * weights, weights);
        }
        maker.phase("optimizer");
        for (uint32_t layer = 0; layer < layers; ++layer) {
            maker.read(gradient, layer * weights, weights);
            if (moments > 0) maker.write(moment, layer * moments, moments);
            maker.write(weight, layer * weights, weights);
        }
    }
}

constexpr Parameter decode_parameters[] = {
    {"layers", 32, 1, most_layers, "of the model"},
    {"weights", 30, 1, most_chunks, "chunks of a layer"},
    {"tokens", 60, 1, 1 << 20, "that are made"},
    {"prompt", 40, 0, 1 << 20, "tokens before them, whose keys and values are there"},
    {"kv-every", 20, 1, 1 << 20, "tokens whose keys and values fill a layer's chunk"},
    {"sampled", 0.5, 0, 1, "share of a layer's keys and values that a token looks at", false},
};

void make_decode(const Values& values, Maker& maker) {
    const uint32_t layers = values.whole("layers");
    const uint32_t weights = values.whole("weights");
    const uint32_t every = values.whole("kv-every");
    const uint32_t kv_chunks = (values.whole("prompt") + values.whole("tokens")) / every + 1;
    const auto sampled = static_cast<uint64_t>(values["sampled"] * 0x1p32);
    const uint32_t weight = maker.region("weights", layers * weights);
    const uint32_t kv = maker.region("kv", layers * kv_chunks);
    for (uint32_t token = 0; token < values.whole("tokens") && maker.goes_on(); ++token) {
        maker.phase("token");
        const uint32_t newest = (values.whole("prompt") + token) / every;
        for (uint32_t layer = 0; layer < layers; ++layer) {
            maker.read(weight, layer * weights, weights);
            for (uint32_t chunk = 0; chunk < newest; ++chunk)
                if (maker.random().chance(sampled, uint64_t{1} << 32))
                    maker.read(kv, layer * kv_chunks + chunk);
            maker.write(kv, layer * kv_chunks + newest);
        }
    }
}

constexpr Parameter moe_parameters[] = {
    {"layers", 16, 1, most_layers, "of the model"},
    {"dense", 6, 1, most_chunks, "chunks of a layer that every token uses"},
    {"experts", 32, 1, 1 << 10, "of a layer"},
    {"expert-chunks", 2, 1, 1 << 10, "of an expert"},
    {"active", 4, 1, 1 << 10, "experts of a layer that a token uses; at most all"},
    {"alpha", 0.8, 0, 4, "exponent of the experts' popularity", false},
    {"tokens", 200, 1, most_rounds, "that are made"},
};

// Each layer has favourites of its own.
void make_moe(const Values& values, Maker& maker) {
    const uint32_t layers = values.whole("layers");
    const uint32_t dense = values.whole("dense");
    const uint32_t experts = values.whole("experts");
    const uint32_t size = values.whole("expert-chunks");
    const uint32_t active = std::min(values.whole("active"), experts);
    const uint32_t shared = maker.region("dense", layers * dense);
    const uint32_t expert = maker.region("experts", layers * experts * size);
    std::vector<std::vector<uint32_t>> by_rank;
    for (uint32_t layer = 0; layer < layers; ++layer)
        by_rank.push_back(shuffled(experts, maker.random()));
    const Zipf zipf(experts, values["alpha"]);
    std::vector<uint32_t> chosen;
    for (uint32_t token = 0; token < values.whole("tokens") && maker.goes_on(); ++token) {
        maker.phase("token");
        for (uint32_t layer = 0; layer < layers; ++layer) {
            maker.read(shared, layer * dense, dense);
            chosen.clear();
            // Drawn again where it was drawn; the least popular is taken before that takes long.
            for (uint32_t tries = 0; chosen.size() < active; ++tries) {
                const uint32_t rank =
                    tries < 64 * active ? zipf.draw(maker.random()) : experts - 1 - tries % experts;
                if (std::find(chosen.begin(), chosen.end(), rank) == chosen.end())
                    chosen.push_back(rank);
            }
            for (const uint32_t rank : chosen)
                maker.read(expert, (layer * experts + by_rank[layer][rank]) * size, size);
        }
    }
}

constexpr Parameter diffusion_parameters[] = {
    {"images", 3, 1, most_rounds, "that are made"},
    {"steps", 15, 1, most_rounds, "of an image"},
    {"text", 240, 1, most_chunks, "chunks of the text encoder, used before the steps"},
    {"levels", 4, 1, 64, "of the UNet, down and up"},
    {"down", 40, 1, most_chunks, "chunks of weights of a level on the way down"},
    {"middle", 60, 1, most_chunks, "chunks of the UNet's middle"},
    {"up", 70, 1, most_chunks, "chunks of weights of a level on the way up"},
    {"skip", 4, 1, most_chunks, "chunks of activations that a level hands from down to up"},
    {"vae", 80, 1, most_chunks, "chunks of the decoder, used behind the steps"},
};

void make_diffusion(const Values& values, Maker& maker) {
    const uint32_t levels = values.whole("levels");
    const uint32_t down = values.whole("down");
    const uint32_t up = values.whole("up");
    const uint32_t skip = values.whole("skip");
    const uint32_t text = maker.region("text encoder", values.whole("text"));
    const uint32_t down_weight = maker.region("unet down", levels * down);
    const uint32_t middle = maker.region("unet middle", values.whole("middle"));
    const uint32_t up_weight = maker.region("unet up", levels * up);
    const uint32_t handed = maker.region("skips", levels * skip);
    const uint32_t vae = maker.region("vae", values.whole("vae"));
    for (uint32_t image = 0; image < values.whole("images") && maker.goes_on(); ++image) {
        maker.phase("text");
        maker.read(text, 0, values.whole("text"));
        for (uint32_t step = 0; step < values.whole("steps") && maker.goes_on(); ++step) {
            maker.phase("step");
            for (uint32_t level = 0; level < levels; ++level) {
                maker.read(down_weight, level * down, down);
                maker.write(handed, level * skip, skip);
            }
            maker.read(middle, 0, values.whole("middle"));
            for (uint32_t level = levels; level-- > 0;) {
                maker.read(handed, level * skip, skip);
                maker.read(up_weight, level * up, up);
            }
        }
        maker.phase("decode");
        maker.read(vae, 0, values.whole("vae"));
    }
}

constexpr Parameter serving_parameters[] = {
    {"models", 12, 1, 1 << 10, "that are loaded"},
    {"chunks", 100, 1, most_chunks, "of weights of each"},
    {"visits", 200, 1, most_rounds, "in all"},
    {"passes", 4, 1, most_rounds, "through the weights in a visit, at most"},
    {"alpha", 1.0, 0, 4, "exponent of the models' popularity", false},
    {"idle-ms", 5000, 0, 1e9, "from a visit to the next, on average", false},
};

// Most models idle most of the time: one is visited, used for a while, and left.
void make_serving(const Values& values, Maker& maker) {
    const uint32_t models = values.whole("models");
    std::vector<uint32_t> regions;
    for (uint32_t model = 0; model < models; ++model)
        regions.push_back(maker.region("model " + std::to_string(model), values.whole("chunks")));
    const std::vector<uint32_t> by_rank = shuffled(models, maker.random());
    const Zipf zipf(models, values["alpha"]);
    const auto idle_ns = static_cast<uint64_t>(values["idle-ms"] * 1e6);
    for (uint32_t visit = 0; visit < values.whole("visits") && maker.goes_on(); ++visit) {
        const uint32_t region = regions[by_rank[zipf.draw(maker.random())]];
        const uint64_t passes = 1 + maker.random().below(values.whole("passes"));
        maker.phase("visit");
        for (uint64_t pass = 0; pass < passes && maker.goes_on(); ++pass)
            maker.read(region, 0, values.whole("chunks"));
        maker.wait(maker.random().below(2 * idle_ns + 1));
    }
}

const Pattern all[] = {
    {"training", "forward, backward and optimizer over the layers", training_parameters, 0,
     make_training},
    {"training-noise", "the same with one use in twenty at random", training_parameters, 0.05,
     make_training},
    {"decode", "a language model, token by token: weights in order, keys and values that grow",
     decode_parameters, 0, make_decode},
    {"moe", "a mixture of experts, token by token", moe_parameters, 0, make_moe},
    {"diffusion", "text encoder, steps of a UNet with skips, decoder", diffusion_parameters, 0,
     make_diffusion},
    {"serving", "many models, most of them idle", serving_parameters, 0, make_serving},
};

}  // namespace

std::span<const Pattern> model_patterns() { return all; }

}  // namespace ciuic::trace
