// SPDX-License-Identifier: Apache-2.0
//
// Patterns of neural networks: how training and inference go through weights, activations and
// caches, layer by layer.
//
// Threads: any.
#pragma once

#include "trace/patterns.hpp"

namespace ciuic::trace {

std::span<const Pattern> model_patterns();

}  // namespace ciuic::trace
