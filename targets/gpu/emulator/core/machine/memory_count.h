// What a memory request costs by the hardware's layout: 32-byte sectors of global and local memory, passes over the
// banks of shared memory. Every memory instruction calls this once for each request.
#pragma once
#include <cstdint>

#include "machine/inst.h"

namespace emu {

struct Warp;

/// Passes over shared memory's 32 banks of 4 bytes.
struct Wavefronts {
    uint32_t taken = 0;
    uint32_t ideal = 0;  // without conflicts
};

/// One request: each lane of `mask` accesses `bytes` (a power of two, 1 to 32) at its address, which is aligned to them
/// (or at least: the lane's bytes are one sector's or one bank row's). `space` may be generic: the lanes are then counted
/// where their addresses lie. Addresses of shared and local memory may be generic or within the space. Adds to
/// worker->counters.memory[inst.pc].
void count_memory(Warp& warp, const Inst& inst, Mask mask, Space space, const uint64_t* address, uint32_t bytes);

/// One request for the contiguous bytes at `address`: bulk copies, matrix descriptors' tiles, rows of any length.
void count_bulk(Warp& warp, const Inst& inst, Space space, uint64_t address, uint64_t bytes);

/// Distinct 32-byte sectors that the lanes of `mask` touch.
uint32_t sectors_of(Mask mask, const uint64_t* address, uint32_t bytes);

/// Passes over the banks. A request of more than 128 bytes goes in groups of lanes of 128 bytes each (8-byte accesses by
/// half-warps, 16-byte accesses by quarters); in a group, lanes at the same word share it and other lanes at the same
/// bank wait.
Wavefronts wavefronts_of(Mask mask, const uint64_t* address, uint32_t bytes);

}  // namespace emu
