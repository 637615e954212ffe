// mbarrier objects: how one lies in its 8 bytes of shared memory, and what happens to it.
//
// Layout of the 64-bit word, of which PTX says only that it is opaque:
//
//     bits  0..19  arrivals still pending in the current phase
//     bits 20..39  arrivals that the next phase will expect
//     bits 40..60  tx-count of the current phase, two's complement, -(2^20 - 1) .. 2^20 - 1
//     bit  61      parity of the current phase (the first has 0)
//     bits 62..63  2: an mbarrier lives here. Memory of zeros, and an invalidated one, hold none
//
// The state that mbarrier.arrive returns is the same with, in bits 20..60, the number of the phase modulo 2^41 where
// the sanitizer counts them (Cta::mbarriers), else zero. A phase completes when its pending arrivals and its tx-count
// are both zero.
#pragma once
#include <cstdint>

#include "machine/warp.h"
#include "sanitizer/sanitizer.h"

namespace emu {

constexpr uint32_t kMbarrierMax = (1u << 20) - 1;  // of counts and tx-counts

struct Mbarrier {
    uint32_t pending = 0, expected = 0;
    int32_t tx = 0;
    uint32_t parity = 0;
    bool valid = false;
    static Mbarrier unpack(uint64_t word);
    uint64_t pack() const;
    /// What lies at an address; it need not be aligned.
    static Mbarrier at(const uint8_t* host);
};

// On behalf of `lane`, on the mbarrier at `offset` in `region` (shared memory of a CTA of the cluster). Each checks
// that there is one, does its part, and completes the phase where that was the last. False after a fault.

/// `bytes` of an asynchronous copy have arrived.
bool mbarrier_complete_tx(Warp& warp, const Inst& inst, int lane, Region& region, uint64_t offset, uint64_t bytes);
/// `bytes` more are to come.
bool mbarrier_expect_tx(Warp& warp, const Inst& inst, int lane, Region& region, uint64_t offset, uint64_t bytes);

enum class Arrive : uint8_t {
    plain = 0,
    drop = 1,           // later phases expect fewer
    no_complete = 2,    // must not end the phase
    relaxed = 4,        // does not release
    copies = 8,         // what the lane's cp.async do when they are done; pending was raised for it before
    copies_noinc = 16,  // ... or was not
};
constexpr Arrive operator|(Arrive a, Arrive b) {
    return static_cast<Arrive>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool operator&(Arrive a, Arrive b) { return (static_cast<unsigned>(a) & static_cast<unsigned>(b)) != 0; }

/// `count` arrivals. `state`, where given, becomes what the phase was before.
bool mbarrier_arrive(Warp& warp, const Inst& inst, int lane, Region& region, uint64_t offset, uint32_t count,
                     Arrive how = Arrive::plain, uint64_t* state = nullptr);

bool mbarrier_init(Warp& warp, const Inst& inst, int lane, Region& region, uint64_t offset, uint32_t count);
bool mbarrier_inval(Warp& warp, const Inst& inst, int lane, Region& region, uint64_t offset);

/// Has the phase that `wanted` names completed (`is_parity`: its parity; else a state)? False after a fault, too.
bool mbarrier_test(Warp& warp, const Inst& inst, int lane, Region& region, uint64_t offset, uint64_t wanted,
                   bool is_parity);

/// What to park with until the phase of `parity` is over.
Wait mbarrier_wait(const Region& region, uint64_t offset, uint32_t parity);

constexpr SyncKey mbarrier_key(const Region& region, uint64_t offset) { return {region.host, offset}; }

}  // namespace emu
