// SPDX-License-Identifier: Apache-2.0
#include "residency/chunk_table.hpp"

#include "base/check.hpp"

namespace ciuic {

namespace {

// The table as an array: transitions[] stays the one source, this is its index.
struct Row {
    bool allowed = false;
    ChunkState to = ChunkState::vacant;
    Copies gained = Copies::none;
    Copies given_up = Copies::none;
};

constexpr auto rows = [] {
    std::array<std::array<Row, chunk_events>, chunk_states> table{};
    for (const Transition& transition : transitions)
        table[static_cast<size_t>(transition.from)][static_cast<size_t>(transition.event)] = {
            true, transition.to, transition.gained, transition.given_up};
    return table;
}();

const Row& row(ChunkState state, ChunkEvent event) {
    CIUIC_CHECK(static_cast<size_t>(state) < chunk_states);
    return rows[static_cast<size_t>(state)][static_cast<size_t>(event)];
}

}  // namespace

const ChunkRecord& ChunkTable::operator[](ChunkIndex chunk) const {
    CIUIC_CHECK(chunk.value < records_.size());
    return records_[chunk.value];
}

ChunkRecord& ChunkTable::edit(ChunkIndex chunk) {
    CIUIC_CHECK(chunk.value < records_.size());
    return records_[chunk.value];
}

void ChunkTable::apply(ChunkIndex chunk, ChunkEvent event) {
    ChunkRecord& record = edit(chunk);
    const Row& taken = row(record.state, event);
    CIUIC_CHECK(taken.allowed);
    record.state = taken.to;
    record.copies = with(without(record.copies, taken.given_up), taken.gained);
    CIUIC_CHECK(is_consistent(record.state, record.copies));
}

bool ChunkTable::allows(ChunkIndex chunk, ChunkEvent event) const {
    return row((*this)[chunk].state, event).allowed;
}

bool ChunkTable::is_sound(ChunkIndex chunk, uint32_t frames) const {
    const ChunkRecord& record = (*this)[chunk];
    const auto flag = [&](uint8_t bit) { return (record.flags & bit) != 0; };
    if (!is_consistent(record.state, record.copies)) return false;
    if (has_frame(record.state) && record.frame >= frames) return false;
    if (is_moving(record.state) && record.move == none_index) return false;
    if (holds(record.copies, Copies::store) && record.place_granules == 0) return false;
    // What the store holds validly, its place holds.
    if (holds(record.copies, Copies::store) && !flag(ChunkFlags::kept)) return false;
    if (flag(ChunkFlags::kept) && record.place_granules == 0) return false;
    if (flag(ChunkFlags::doomed) && !is_moving(record.state)) return false;
    if (flag(ChunkFlags::cleared) && !flag(ChunkFlags::doomed)) return false;
    const bool has_blocks = record.shown_blocks != 0;
    if (record.state == ChunkState::sparse ? !has_blocks
                                           : has_blocks && record.state != ChunkState::growing)
        return false;
    if (record.state == ChunkState::vacant && record.place_granules != 0) return false;
    return true;
}

const char* chunk_state_text(ChunkState state) {
    switch (state) {
    case ChunkState::vacant: return "vacant";
    case ChunkState::empty: return "empty";
    case ChunkState::filling: return "filling";
    case ChunkState::resident: return "resident";
    case ChunkState::ready: return "ready";
    case ChunkState::fetching: return "fetching";
    case ChunkState::evicting: return "evicting";
    case ChunkState::stored: return "stored";
    case ChunkState::lost: return "lost";
    case ChunkState::scattered: return "scattered";
    case ChunkState::scattering: return "scattering";
    case ChunkState::gathering: return "gathering";
    case ChunkState::sparse: return "sparse";
    case ChunkState::growing: return "growing";
    case ChunkState::zeroed: return "zeroed";
    }
    return "?";
}

}  // namespace ciuic
