// SPDX-License-Identifier: Apache-2.0
//
// The I/O port over a file in memory, with faults that a test plans by the request's number:
// short, refused, held back until released, written to the wrong place, half written.
//
// Threads: one.
#pragma once

#include "base/check.hpp"
#include "base/unique_fd.hpp"
#include "io/io.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

namespace ciuic::test {

struct IoFault {
    enum class Kind {
        short_transfer,  // only `value` bytes are moved, and the result says so
        fail,            // result -value; nothing is moved
        hold,            // nothing happens before release(); a cancel ends it if `value` is 1
        misdirect,       // a write lands `value` bytes further on and claims success
        torn,            // only the first `value` bytes of a write land; it claims success
    };
    Kind kind;
    uint64_t value = 0;
};

class MemoryIo final : public Io {
public:
    MemoryIo(uint64_t size_bytes, uint32_t depth)
        : bytes(size_bytes), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), depth_(depth) {
        CIUIC_CHECK(event_);
    }

    std::vector<std::byte> bytes;        // the file
    std::map<uint64_t, IoFault> faults;  // by the number of the request, from 0
    std::vector<IoRequest> requests;     // every request there was
    std::vector<uint64_t> cancelled;     // every token that a cancel was asked for

    // Lets the request that is held under `token` happen as if nothing had been planned for it.
    void release(uint64_t token) {
        const auto found = std::find_if(held_.begin(), held_.end(),
                                        [token](const IoRequest& r) { return r.token == token; });
        CIUIC_CHECK(found != held_.end());
        finish({token, transfer(*found)});
        held_.erase(found);
    }

    Status submit(const IoRequest& request) override {
        if (in_flight_ == depth_) return Error{Errc::busy, 0, "I/O depth is used up"};
        ++in_flight_;
        const auto planned = faults.find(requests.size());
        requests.push_back(request);
        if (planned == faults.end()) {
            finish({request.token, transfer(request)});
        } else if (planned->second.kind == IoFault::Kind::hold) {
            held_.push_back(request);
            if (planned->second.value == 1) cancellable_.push_back(request.token);
        } else {
            finish({request.token, transfer_badly(request, planned->second)});
        }
        return {};
    }

    void flush() override {}

    void cancel(uint64_t token) override {
        cancelled.push_back(token);
        const auto found = std::find_if(held_.begin(), held_.end(),
                                        [token](const IoRequest& r) { return r.token == token; });
        if (found == held_.end() || std::erase(cancellable_, token) == 0) return;
        held_.erase(found);
        finish({token, -ECANCELED});
    }

    size_t drain(std::span<IoResult> results) override {
        size_t count = 0;
        for (; count < results.size() && !done_.empty(); ++count) {
            results[count] = done_.front();
            done_.pop_front();
        }
        uint64_t signals = 0;
        if (count > 0 && done_.empty())
            CIUIC_CHECK(::read(event_.get(), &signals, sizeof signals) == sizeof signals);
        in_flight_ -= static_cast<uint32_t>(count);
        return count;
    }

    int event_fd() const override { return event_.get(); }
    uint32_t depth() const override { return depth_; }
    const char* name() const override { return "memory"; }

private:
    void finish(const IoResult& result) {
        done_.push_back(result);
        const uint64_t one = 1;
        CIUIC_CHECK(::write(event_.get(), &one, sizeof one) == sizeof one);
    }

    int64_t transfer(const IoRequest& request) {
        if (request.offset_bytes >= bytes.size()) return 0;
        const uint64_t length =
            std::min<uint64_t>(request.length_bytes, bytes.size() - request.offset_bytes);
        std::byte* const file = bytes.data() + request.offset_bytes;
        if (request.op == IoOp::read)
            std::memcpy(request.data, file, length);
        else
            std::memcpy(file, request.data, length);
        return static_cast<int64_t>(length);
    }

    int64_t transfer_badly(IoRequest request, const IoFault& fault) {
        const int64_t claimed = request.length_bytes;
        switch (fault.kind) {
        case IoFault::Kind::hold: break;
        case IoFault::Kind::fail: return -static_cast<int64_t>(fault.value);
        case IoFault::Kind::short_transfer:
            request.length_bytes = static_cast<uint32_t>(fault.value);
            return transfer(request);
        case IoFault::Kind::misdirect:
            request.offset_bytes += fault.value;
            transfer(request);
            return claimed;
        case IoFault::Kind::torn:
            request.length_bytes = static_cast<uint32_t>(fault.value);
            transfer(request);
            return claimed;
        }
        return claimed;
    }

    UniqueFd event_;
    uint32_t depth_;
    uint32_t in_flight_ = 0;
    std::deque<IoResult> done_;
    std::vector<IoRequest> held_;
    std::vector<uint64_t> cancellable_;
};

}  // namespace ciuic::test
