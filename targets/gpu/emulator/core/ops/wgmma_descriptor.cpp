// Where in shared memory the rows of a descriptor's tiles lie, for every layout and swizzle.
#include "ops/wgmma_descriptor.h"

#include <algorithm>
#include <cstring>

#include "machine/cta.h"

namespace emu::wgmma {

Descriptor::Descriptor(uint64_t bits)
    : start(static_cast<uint32_t>(bits & 0x3fff) << 4),
      leading(static_cast<uint32_t>(bits >> 16 & 0x3fff) << 4),
      stride(static_cast<uint32_t>(bits >> 32 & 0x3fff) << 4),
      base(static_cast<uint32_t>(bits >> 49 & 7)) {
    static constexpr uint32_t atoms[4] = {1, 8, 4, 2};
    atom = atoms[bits >> 62];
}

uint32_t Descriptor::address(bool mn_major, uint32_t block, uint32_t chunk, uint32_t r) const {
    uint32_t a = start + r * atom * 16;
    if (!mn_major) {
        a += block * stride + chunk % atom * 16 + chunk / atom * leading;
    } else if (atom == 1) {
        a += block * stride + chunk * leading;
    } else {
        a += block % atom * 16 + block / atom * leading + chunk * stride;
    }
    // Bits 4.. are changed by bits 7.. of the address itself, not of the place in the matrix.
    return a ^ ((((a >> 7) - base) & (atom - 1)) << 4);
}

bool gather(Warp& w, const Inst& inst, const Descriptor& d, bool mn_major, uint32_t first_block, uint32_t blocks,
            uint32_t chunks, uint8_t* tiles, std::vector<Range>* ranges) {
    // Where the steps between blocks are whole patterns of the swizzle, so many blocks have the others' addresses but
    // for a constant.
    const uint32_t step = mn_major && d.atom > 1 ? d.leading : d.stride;
    const uint32_t period = d.atom > 1 && step % (128 * d.atom) != 0 ? blocks : mn_major ? std::min(d.atom, blocks) : 1;
    uint32_t from[32 * 4 * 8];  // of 256 columns and, sparse, four chunks
    const uint32_t pieces = chunks * 8;
    for (uint32_t b = 0; b < period; ++b)
        for (uint32_t c = 0; c < chunks; ++c)
            for (uint32_t r = 0; r < 8; ++r) from[b * pieces + c * 8 + r] = d.address(mn_major, first_block + b, c, r);
    // Blocks first_block + period * i follow by the same step: a period is a whole atom where it matters.
    const Region& shared = w.cta->shared;
    uint32_t low = ~0u, high = 0;
    for (uint32_t i = 0; i < period * pieces; ++i) {
        low = std::min(low, from[i]);
        high = std::max(high, from[i]);
    }
    const uint64_t last = high + uint64_t{(blocks - 1) / period} * step + 16;
    if (low < shared.begin || last > shared.end()) {
        for (uint32_t b = 0; b < blocks; ++b)
            for (uint32_t i = 0; i < pieces; ++i) {
                const uint64_t a = from[b % period * pieces + i] + uint64_t{b / period} * step;
                if (a >= shared.begin && a + 16 <= shared.end()) continue;
                w.fault(Kind::out_of_bounds, inst, 0, a,
                        "wgmma reads 16 bytes of its matrix at shared address " + std::to_string(a) +
                            "; shared memory is " + std::to_string(shared.begin) + " to " +
                            std::to_string(shared.end()));
                return false;
            }
    }
    for (uint32_t b = 0; b < blocks; b += period) {
        const uint32_t n = std::min(period, blocks - b) * pieces;
        const uint64_t more = uint64_t{b / period} * step - shared.begin;
        uint8_t* to = tiles + static_cast<size_t>(b) * pieces * 16;
        for (uint32_t i = 0; i < n; ++i) std::memcpy(to + i * 16, shared.host + (from[i] + more), 16);
    }
    if (ranges) {
        std::vector<uint64_t> places;
        for (uint32_t b = 0; b < blocks; ++b)
            for (uint32_t i = 0; i < pieces; ++i)
                places.push_back(from[b % period * pieces + i] + uint64_t{b / period} * step - shared.begin);
        std::sort(places.begin(), places.end());
        ranges->clear();
        for (const uint64_t p : places) {
            if (!ranges->empty() && p <= ranges->back().offset + ranges->back().bytes)
                ranges->back().bytes = std::max(ranges->back().bytes, p + 16 - ranges->back().offset);
            else ranges->push_back({p, 16});
        }
    }
    return true;
}

}  // namespace emu::wgmma
