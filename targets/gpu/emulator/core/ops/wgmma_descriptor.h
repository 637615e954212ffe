// Matrices in shared memory as wgmma's 64-bit descriptors name them.
#pragma once
#include <cstdint>
#include <vector>

#include "machine/warp.h"

namespace emu::wgmma {

/// The unit is a piece of 16 bytes. Pieces lie in atoms of 8 rows of `atom` pieces (1, 2, 4, 8: no swizzle, 32, 64 and
/// 128 bytes). K-major: a row is one of the matrix (of A) or column (of B), its pieces follow k. MN-major: a row is one
/// k, its pieces follow the rows of A or columns of B.
struct Descriptor {
    uint32_t start = 0;       // shared address
    uint32_t leading = 0, stride = 0;  // bytes
    uint32_t base = 0;        // where in the swizzle's pattern of 8 lines of 128 bytes address bits 7..9 of zero stand
    uint32_t atom = 1;
    explicit Descriptor(uint64_t bits);

    /// The address of row r (0..7) of tile (block, chunk): block counts 8 rows of A or columns of B, chunk 16 bytes
    /// along k or, MN-major, 8 k.
    uint32_t address(bool mn_major, uint32_t block, uint32_t chunk, uint32_t r) const;
};

struct Range {
    uint64_t offset, bytes;   // in the CTA's shared memory
};

/// Copies tiles of 8 rows of 16 bytes, [blocks][chunks], as they lie in memory (MN-major: rows are k). False after a
/// fault. `ranges` (may be null) gets what was read, in order and merged.
bool gather(Warp& w, const Inst& inst, const Descriptor& d, bool mn_major, uint32_t first_block, uint32_t blocks,
            uint32_t chunks, uint8_t* tiles, std::vector<Range>* ranges);

}  // namespace emu::wgmma
