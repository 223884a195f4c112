// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/card/card_io.hpp"

#include "tests/sim/card/card_time.hpp"

#include <algorithm>

namespace ciuic::sim {

CardIo::CardIo(const machine::Card& card, const machine::Host& host, const Striping& striping,
               uint64_t chunk_bytes, Clock& clock)
    : clock_(clock), striping_(striping), chunk_bytes_(chunk_bytes),
      copy_latency_(nanos_of(card.copy_latency_s)), disk_latency_(nanos_of(host.disk_latency_s)) {
    const double share = machine::slot_share(card, host);
    in_.link_bytes_per_s = card.to_device_bytes_per_s * share;
    in_.disk_bytes_per_s = host.disk_read_bytes_per_s;
    out_.link_bytes_per_s = card.to_host_bytes_per_s * share;
    out_.disk_bytes_per_s = host.disk_write_bytes_per_s;
}

Status CardIo::submit(const IoRequest& request) {
    if (flying_.size() >= depth()) return Error{Errc::busy, 0, "all requests are in flight"};
    Way& way = request.op == IoOp::read ? in_ : out_;
    const auto bytes = static_cast<double>(request.length_bytes);
    way.link_free = std::max(clock_.now(), way.link_free) + nanos_of(bytes / way.link_bytes_per_s);
    Nanos ends = way.link_free;
    if (striping_.is_slow(request.offset_bytes / chunk_bytes_)) {
        way.disk_free =
            std::max(clock_.now(), way.disk_free) + nanos_of(bytes / way.disk_bytes_per_s);
        ends = std::max(ends, way.disk_free + disk_latency_);
        disk_bytes_ += request.length_bytes;
    }
    way.link_bytes += request.length_bytes;
    flying_.push_back({request.token, request.length_bytes, ends + copy_latency_});
    return {};
}

size_t CardIo::drain(std::span<IoResult> results) {
    size_t count = 0;
    for (size_t index = 0; index < flying_.size() && count < results.size();) {
        if (flying_[index].ends > clock_.now()) {
            ++index;
            continue;
        }
        results[count++] = {flying_[index].token, flying_[index].length_bytes};
        flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    return count;
}

std::optional<Nanos> CardIo::next() const {
    std::optional<Nanos> first;
    for (const Flying& transfer : flying_)
        if (!first || transfer.ends < *first) first = transfer.ends;
    return first;
}

}  // namespace ciuic::sim
