// SPDX-License-Identifier: Apache-2.0
#include "policy/stream_prefetch.hpp"

#include <algorithm>

namespace ciuic {

namespace {

// How far `chunk` lies beyond `last` in direction `step`; 0 when it does not.
uint32_t distance(uint32_t last, uint32_t chunk, int32_t step) {
    if (step > 0) return chunk > last ? chunk - last : 0;
    return last > chunk ? last - chunk : 0;
}

}  // namespace

// A stream continues with the chunk after its last one, or with any that was proposed: a program
// that skips a few chunks is still on its way.
StreamPrefetch::Stream* StreamPrefetch::find(uint32_t chunk) {
    for (Stream& stream : streams_) {
        if (stream.last == none_index) continue;
        if (stream.step == 0) {
            if (distance(stream.last, chunk, 1) == 1)
                stream.step = 1;
            else if (distance(stream.last, chunk, -1) == 1)
                stream.step = -1;
            else
                continue;
            return &stream;
        }
        const uint32_t beyond = distance(stream.last, chunk, stream.step);
        if (beyond >= 1 && beyond <= stream.ahead + 1) return &stream;
    }
    return nullptr;
}

void StreamPrefetch::start(uint32_t chunk) {
    Stream& oldest =
        *std::min_element(streams_.begin(), streams_.end(),
                          [](const Stream& a, const Stream& b) { return a.used_at < b.used_at; });
    oldest = {.last = chunk, .step = 0, .ahead = 0, .depth = 1, .used_at = touches_};
}

PrefetchProposal StreamPrefetch::touched(ChunkIndex chunk, uint32_t chunks) {
    ++touches_;
    Stream* stream = find(chunk.value);
    streaming_ = stream != nullptr;
    if (!stream) {
        start(chunk.value);
        return {};
    }
    const uint32_t beyond = distance(stream->last, chunk.value, stream->step);
    stream->ahead -= std::min(stream->ahead, beyond);
    stream->last = chunk.value;
    stream->used_at = touches_;
    stream->depth = std::min(stream->depth * 2, depth_max_);

    const uint32_t to_edge = stream->step > 0 ? chunks - 1 - chunk.value : chunk.value;
    const uint32_t reach = std::min(stream->depth, to_edge);
    if (reach <= stream->ahead) return {};
    const uint32_t first =
        stream->step > 0 ? chunk.value + stream->ahead + 1 : chunk.value - stream->ahead - 1;
    const PrefetchProposal proposal{ChunkIndex{first}, stream->step, reach - stream->ahead};
    stream->ahead = reach;
    return proposal;
}

void StreamPrefetch::wasted(ChunkIndex chunk) {
    for (Stream& stream : streams_) {
        if (stream.last == none_index || stream.step == 0) continue;
        const uint32_t beyond = distance(stream.last, chunk.value, stream.step);
        if (beyond >= 1 && beyond <= stream.ahead) {
            stream.depth = std::max(1u, stream.depth / 2);
            stream.ahead = std::min(stream.ahead, beyond - 1);
        }
    }
}

}  // namespace ciuic
