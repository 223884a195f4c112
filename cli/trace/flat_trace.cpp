// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/flat_trace.hpp"

#include "base/units.hpp"

namespace ciuic::cli {

Result<FlatTrace> flatten(trace::Reader& reader, const std::string& path) {
    CIUIC_TRY_STATUS(reader.open(path));
    FlatTrace flat;
    flat.chunk_bytes = reader.chunk_bytes();
    std::vector<uint32_t> number_of;
    for (;;) {
        CIUIC_TRY(const trace::Found found, reader.next());
        if (found == trace::Found::end) return flat;
        if (found == trace::Found::region) number_of.resize(reader.chunks(), none_index);
        if (found != trace::Found::use) continue;
        for (uint32_t at = 0; at < reader.use().count; ++at) {
            uint32_t& number = number_of[reader.first_chunk() + at];
            if (number == none_index) number = flat.footprint_chunks++;
            flat.uses.push_back(number);
        }
    }
}

}  // namespace ciuic::cli
