// SPDX-License-Identifier: Apache-2.0
#include "machine/hardware.hpp"

#include <algorithm>

namespace ciuic::machine {
namespace {

// Of 16 lanes.
double measured_bytes_per_s(uint32_t generation) {
    switch (generation) {
    case 3: return 12.3e9;
    case 4: return 25e9;
    case 5: return 55e9;
    }
    double rate = generation < 3 ? 12.3e9 : 55e9;
    for (; generation < 3; ++generation) rate /= 2;
    for (; generation > 5; --generation) rate *= 2;
    return rate;
}

}  // namespace

double slot_share(const Card& card, const Host& host) {
    const Slot used = {std::min(card.slot.generation, host.slot.generation),
                       std::min(card.slot.lanes, host.slot.lanes)};
    return measured_bytes_per_s(used.generation) * used.lanes /
           (measured_bytes_per_s(card.slot.generation) * card.slot.lanes);
}

}  // namespace ciuic::machine
