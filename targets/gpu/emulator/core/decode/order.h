// In which order the basic blocks of a function compete, so that lanes that parted meet again.
#pragma once
#include <cstdint>
#include <vector>

#include "machine/program.h"

namespace emu {

/// `successors[b]`: blocks after b; block 0 is the entry. Every loop's blocks are consecutive, its head first, and a
/// lane that comes back to the head stands behind all of the loop's blocks (loop_end), so that it waits for the lanes
/// that are still inside; what follows a loop comes after it. This is Bourdoncle's weak topological order.
/// (F. Bourdoncle, Efficient chaotic iteration strategies with widenings, 1993.)
/// Orders start at `first`; returns the next free one.
uint32_t order_blocks(const std::vector<std::vector<uint32_t>>& successors, uint32_t first, std::vector<BlockOrder>& out);

}  // namespace emu
