// SPDX-License-Identifier: Apache-2.0
#include "kernels.hpp"

#include <algorithm>

namespace ciuic::probe {

namespace {

constexpr unsigned THREADS = 256;

}  // namespace

// Each thread of fill and verify handles pairs of words: pair p is words 2p and 2p + 1, and threads
// step by the whole launch; %rd9 is PATTERN_FACTOR. The atomics add up the old values they get and
// store the sum in a case that cannot come (-1), so that the compiler keeps them fetching.
const char* const KERNEL_PTX = R"ptx(
.version 6.0
.target sm_60
.address_size 64

.visible .entry spin(.param .u64 started, .param .u64 duration_ns)
{
    .reg .pred %p;
    .reg .u32 %r1;
    .reg .u64 %rd<6>;
    ld.param.u64 %rd1, [started];
    ld.param.u64 %rd2, [duration_ns];
    mov.u64 %rd3, %globaltimer;
    mov.u32 %r1, 1;
    st.volatile.global.u32 [%rd1], %r1;
    membar.sys;
AGAIN:
    mov.u64 %rd4, %globaltimer;
    sub.u64 %rd5, %rd4, %rd3;
    setp.lt.u64 %p, %rd5, %rd2;
    @%p bra AGAIN;
    ret;
}

.visible .entry fill(.param .u64 range, .param .u64 pairs, .param .u64 seed, .param .u32 passes)
{
    .reg .pred %p;
    .reg .u32 %r<6>;
    .reg .u64 %rd<14>;
    ld.param.u64 %rd1, [range];
    ld.param.u64 %rd2, [pairs];
    ld.param.u64 %rd3, [seed];
    ld.param.u32 %r1, [passes];
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.u32 %r5, %r2, %r3, %r4;
    cvt.u64.u32 %rd4, %r5;
    mov.u32 %r2, %nctaid.x;
    mul.lo.u32 %r2, %r2, %r3;
    cvt.u64.u32 %rd5, %r2;
    mov.u64 %rd9, 0x9E3779B97F4A7C15;
PASS:
    mov.u64 %rd6, %rd4;
STEP:
    setp.ge.u64 %p, %rd6, %rd2;
    @%p bra PASSED;
    shl.b64 %rd7, %rd6, 1;
    add.u64 %rd7, %rd7, %rd3;
    mul.lo.u64 %rd10, %rd7, %rd9;
    add.u64 %rd11, %rd10, %rd9;
    shl.b64 %rd8, %rd6, 4;
    add.u64 %rd8, %rd8, %rd1;
    st.global.v2.u64 [%rd8], {%rd10, %rd11};
    add.u64 %rd6, %rd6, %rd5;
    bra STEP;
PASSED:
    sub.u32 %r1, %r1, 1;
    setp.ne.u32 %p, %r1, 0;
    @%p bra PASS;
    ret;
}

.visible .entry verify(.param .u64 range, .param .u64 pairs, .param .u64 seed, .param .u32 passes,
                       .param .u64 mismatches)
{
    .reg .pred %p;
    .reg .u32 %r<6>;
    .reg .u64 %rd<18>;
    ld.param.u64 %rd1, [range];
    ld.param.u64 %rd2, [pairs];
    ld.param.u64 %rd3, [seed];
    ld.param.u32 %r1, [passes];
    ld.param.u64 %rd14, [mismatches];
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.u32 %r5, %r2, %r3, %r4;
    cvt.u64.u32 %rd4, %r5;
    mov.u32 %r2, %nctaid.x;
    mul.lo.u32 %r2, %r2, %r3;
    cvt.u64.u32 %rd5, %r2;
    mov.u64 %rd9, 0x9E3779B97F4A7C15;
    mov.u64 %rd15, 0;
PASS:
    mov.u64 %rd6, %rd4;
STEP:
    setp.ge.u64 %p, %rd6, %rd2;
    @%p bra PASSED;
    shl.b64 %rd7, %rd6, 1;
    add.u64 %rd7, %rd7, %rd3;
    mul.lo.u64 %rd10, %rd7, %rd9;
    add.u64 %rd11, %rd10, %rd9;
    shl.b64 %rd8, %rd6, 4;
    add.u64 %rd8, %rd8, %rd1;
    ld.global.v2.u64 {%rd12, %rd13}, [%rd8];
    setp.ne.u64 %p, %rd12, %rd10;
    selp.u64 %rd16, 1, 0, %p;
    add.u64 %rd15, %rd15, %rd16;
    setp.ne.u64 %p, %rd13, %rd11;
    selp.u64 %rd16, 1, 0, %p;
    add.u64 %rd15, %rd15, %rd16;
    add.u64 %rd6, %rd6, %rd5;
    bra STEP;
PASSED:
    sub.u32 %r1, %r1, 1;
    setp.ne.u32 %p, %r1, 0;
    @%p bra PASS;
    setp.eq.u64 %p, %rd15, 0;
    @%p bra DONE;
    red.global.add.u64 [%rd14], %rd15;
DONE:
    ret;
}

.visible .entry atomic_gpu(.param .u64 words, .param .u32 slot_mask, .param .u32 rounds)
{
    .reg .pred %p;
    .reg .u32 %r<6>;
    .reg .u64 %rd<6>;
    ld.param.u64 %rd1, [words];
    ld.param.u32 %r1, [slot_mask];
    ld.param.u32 %r2, [rounds];
    mov.u32 %r3, %ctaid.x;
    mov.u32 %r4, %ntid.x;
    mov.u32 %r5, %tid.x;
    mad.lo.u32 %r5, %r3, %r4, %r5;
    and.b32 %r5, %r5, %r1;
    mul.wide.u32 %rd2, %r5, 8;
    add.u64 %rd1, %rd1, %rd2;
    mov.u64 %rd3, 1;
    mov.u64 %rd5, 0;
AGAIN:
    atom.gpu.global.add.u64 %rd4, [%rd1], %rd3;
    add.u64 %rd5, %rd5, %rd4;
    sub.u32 %r2, %r2, 1;
    setp.ne.u32 %p, %r2, 0;
    @%p bra AGAIN;
    setp.ne.u64 %p, %rd5, -1;
    @%p bra DONE;
    st.global.u64 [%rd1], %rd5;
DONE:
    ret;
}

.visible .entry atomic_system(.param .u64 words, .param .u32 slot_mask, .param .u32 rounds)
{
    .reg .pred %p;
    .reg .u32 %r<6>;
    .reg .u64 %rd<6>;
    ld.param.u64 %rd1, [words];
    ld.param.u32 %r1, [slot_mask];
    ld.param.u32 %r2, [rounds];
    mov.u32 %r3, %ctaid.x;
    mov.u32 %r4, %ntid.x;
    mov.u32 %r5, %tid.x;
    mad.lo.u32 %r5, %r3, %r4, %r5;
    and.b32 %r5, %r5, %r1;
    mul.wide.u32 %rd2, %r5, 8;
    add.u64 %rd1, %rd1, %rd2;
    mov.u64 %rd3, 1;
    mov.u64 %rd5, 0;
AGAIN:
    atom.sys.global.add.u64 %rd4, [%rd1], %rd3;
    add.u64 %rd5, %rd5, %rd4;
    sub.u32 %r2, %r2, 1;
    setp.ne.u32 %p, %r2, 0;
    @%p bra AGAIN;
    setp.ne.u64 %p, %rd5, -1;
    @%p bra DONE;
    st.global.u64 [%rd1], %rd5;
DONE:
    ret;
}
)ptx";

Kernels::Kernels(const Driver& driver, int multiprocessors)
    : driver_(driver), full_blocks_(static_cast<unsigned>(std::max(multiprocessors, 1)) * 8) {
    char log[1024] = "";
    int options[] = {JIT_ERROR_LOG_BUFFER, JIT_ERROR_LOG_SIZE_BYTES};
    void* values[] = {log, reinterpret_cast<void*>(sizeof log - 1)};
    Module module = nullptr;
    try {
        driver.module_load(&module, KERNEL_PTX, 2, options, values);
    } catch (const CallFailed& failed) {
        throw Unavailable(std::string(failed.what()) + "; compiler log: " + log);
    }
    driver.module_function(&spin_, module, "spin");
    driver.module_function(&fill_, module, "fill");
    driver.module_function(&verify_, module, "verify");
    driver.module_function(&atomic_gpu_, module, "atomic_gpu");
    driver.module_function(&atomic_system_, module, "atomic_system");
}

void Kernels::launch(Function function, unsigned blocks, unsigned threads, StreamHandle stream,
                     void** parameters) const {
    driver_.launch(function, blocks, 1, 1, threads, 1, 1, 0, stream, parameters, nullptr);
}

unsigned Kernels::blocks(unsigned share_percent) const {
    return std::max(full_blocks_ * share_percent / 100, 1U);
}

void Kernels::spin(StreamHandle stream, DevicePtr started, uint64_t duration_ns) const {
    void* parameters[] = {&started, &duration_ns};
    launch(spin_, 1, 1, stream, parameters);
}

void Kernels::fill(StreamHandle stream, DevicePtr range, size_t bytes, uint64_t seed,
                   uint32_t passes, unsigned share_percent) const {
    uint64_t pairs = bytes / 16;
    void* parameters[] = {&range, &pairs, &seed, &passes};
    launch(fill_, blocks(share_percent), THREADS, stream, parameters);
}

void Kernels::verify(StreamHandle stream, DevicePtr range, size_t bytes, uint64_t seed,
                     DevicePtr mismatches, uint32_t passes, unsigned share_percent) const {
    uint64_t pairs = bytes / 16;
    void* parameters[] = {&range, &pairs, &seed, &passes, &mismatches};
    launch(verify_, blocks(share_percent), THREADS, stream, parameters);
}

uint64_t Kernels::atomic_add(StreamHandle stream, DevicePtr words, uint32_t slots, uint32_t rounds,
                             AtomicScope scope) const {
    uint32_t slot_mask = slots - 1;
    void* parameters[] = {&words, &slot_mask, &rounds};
    launch(scope == AtomicScope::gpu ? atomic_gpu_ : atomic_system_, full_blocks_, THREADS, stream,
           parameters);
    return uint64_t{full_blocks_} * THREADS * rounds;
}

}  // namespace ciuic::probe
