// Counting of memory requests. Consecutive and uniform requests have closed forms, and requests in rising order one pass;
// the rest compares each lane with all before it, by rotations that vectorize.
#include "machine/memory_count.h"

#include <bit>

#include "machine/memory_paths.h"

namespace emu {
namespace {

/// For each lane of the mask: does an earlier lane of it have the same key? Lanes outside have any key. Keys are below
/// 2^32 - 1.
void repeats(Mask mask, const uint32_t* key, uint32_t* repeated) {
    uint32_t padded[2 * kLanes];
    for (int l = 0; l < kLanes; ++l) {
        padded[l] = 0xffffffffu;
        padded[kLanes + l] = (mask >> l & 1) ? key[l] : 0xffffffffu;
        repeated[l] = 0;
    }
    for (int distance = 1; distance < kLanes; ++distance) {
        const uint32_t* earlier = padded + kLanes - distance;
        for (int l = 0; l < kLanes; ++l) repeated[l] |= key[l] == earlier[l] ? 1u : 0u;
    }
}

/// Distinct keys of the lanes in the mask.
uint32_t distinct(Mask mask, const uint32_t* key) {
    uint32_t repeated[kLanes], n = 0;
    repeats(mask, key, repeated);
    for (int l = 0; l < kLanes; ++l) n += (mask >> l & 1) & (repeated[l] ^ 1u);
    return n;
}

/// Groups of `group` lanes (a power of two) with a lane in the mask.
uint32_t groups_in(Mask mask, uint32_t group) {
    for (uint32_t step = 1; step < group; step *= 2) mask |= mask >> step;
    // Bit l is now set if any lane of [l, l + group) is in the mask; the groups' first lanes count.
    Mask firsts = 0;
    for (uint32_t l = 0; l < kLanes; l += group) firsts |= 1u << l;
    return static_cast<uint32_t>(std::popcount(mask & firsts));
}

/// log2 of the bytes a lane takes in a pass over the banks: a word at least, a row at most.
uint32_t unit_shift(uint32_t bytes) {
    const auto shift = static_cast<uint32_t>(std::bit_width(bytes) - 1);
    return shift < 2 ? 2 : shift > 7 ? 7 : shift;
}

}  // namespace

uint32_t sectors_of(Mask mask, const uint64_t* address, uint32_t bytes) {
    if (mask == 0) return 0;
    const int first = std::countr_zero(mask);
    // An access of at most 32 bytes that is aligned lies in one sector; longer ones are counted piece by piece.
    if (bytes > 32) {
        uint64_t piece[kLanes];
        uint32_t n = 0;
        for (uint32_t at = 0; at < bytes; at += 32) {
            for (int l = 0; l < kLanes; ++l) piece[l] = address[l] + at;
            n += sectors_of(mask, piece, 32);  // pieces of one request meet only where lanes overlap
        }
        return n;
    }
    uint64_t sector[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        sector[l] = (mask >> l & 1) ? address[l] >> 5 : address[first] >> 5;
    }
    // Rising order: a lane counts where its sector is not its predecessor's. Lanes outside of the mask got the first
    // lane's sector, so this wants a full mask.
    if (mask == kAll) {
        uint64_t falls = 0;
        uint32_t steps = 1;
        for (int l = 1; l < kLanes; ++l) {
            falls |= sector[l] - sector[l - 1];
            steps += sector[l] != sector[l - 1] ? 1u : 0u;
        }
        if (falls >> 63 == 0) return steps;
    }
    uint64_t lowest = sector[first], highest = sector[first];
    for (int l = 0; l < kLanes; ++l) {
        lowest = sector[l] < lowest ? sector[l] : lowest;
        highest = sector[l] > highest ? sector[l] : highest;
    }
    uint32_t key[kLanes];
    if (highest - lowest < 0xffffffffu) {
        for (int l = 0; l < kLanes; ++l) key[l] = static_cast<uint32_t>(sector[l] - lowest);
        return distinct(mask, key);
    }
    uint32_t n = 0;
    for (int l = 0; l < kLanes; ++l) {
        bool seen = (mask >> l & 1) == 0;
        for (int m = 0; m < l && !seen; ++m) seen = (mask >> m & 1) && sector[m] == sector[l];
        n += seen ? 0 : 1;
    }
    return n;
}

Wavefronts wavefronts_of(Mask mask, const uint64_t* address, uint32_t bytes) {
    Wavefronts result;
    if (mask == 0) return result;
    const uint32_t shift = unit_shift(bytes), group = 128u >> shift;
    result.ideal = groups_in(mask, group);
    // A virtual bank for each unit of each group: lanes of different groups never meet.
    uint32_t unit[kLanes], bank[kLanes], seen = 0;
    for (uint32_t l = 0; l < kLanes; ++l) {
        unit[l] = static_cast<uint32_t>(address[l] >> shift);
        bank[l] = (unit[l] & (group - 1)) + (l & ~(group - 1));
        seen |= (mask >> l & 1u) << bank[l];
    }
    if (std::popcount(seen) == std::popcount(mask)) {
        result.taken = result.ideal;
        return result;
    }
    // The same word in the same group is one access; of the others, a group takes as many passes as its fullest bank.
    uint32_t key[kLanes], repeated[kLanes];
    const uint32_t per_bank = 27;  // bits: addresses of shared memory have 32, units 2 less, banks 5 less or fewer
    for (int l = 0; l < kLanes; ++l) key[l] = ((unit[l] / group) & ((1u << per_bank) - 1)) | bank[l] << per_bank;
    // A key of all ones stands for "no lane" in repeats(): word 2^27 - 1 of bank 31 is no address of shared memory.
    repeats(mask, key, repeated);
    uint8_t words[kLanes] = {};
    for (int l = 0; l < kLanes; ++l) words[bank[l]] = static_cast<uint8_t>(words[bank[l]] + ((mask >> l & 1) & (repeated[l] ^ 1u)));
    for (uint32_t from = 0; from < kLanes; from += group) {
        uint8_t most = 0;
        for (uint32_t b = from; b < from + group; ++b) most = words[b] > most ? words[b] : most;
        result.taken += most;
    }
    return result;
}

namespace {

/// Lanes of one space. Local memory is laid out by the hardware so that the same word of 32 lanes lies side by side.
void count_in(MemoryCount& to, Space space, Mask mask, const uint64_t* address, uint32_t bytes) {
    switch (space) {
        case Space::shared: {
            const Wavefronts w = wavefronts_of(mask, address, bytes);
            to.wavefronts += w.taken;
            to.ideal += w.ideal;
            return;
        }
        case Space::local: {
            uint64_t woven[kLanes];
            for (uint32_t word = 0; word < (bytes + 3) / 4; ++word) {
                for (uint32_t l = 0; l < kLanes; ++l) {
                    const uint64_t within = (address[l] & 0xffffffffu) + word * 4;
                    woven[l] = (within / 4 * kLanes + l) * 4;
                }
                to.sectors += sectors_of(mask, woven, 4);
            }
            return;
        }
        case Space::global: case Space::constant: to.sectors += sectors_of(mask, address, bytes); return;
        default: return;  // parameters
    }
}

}  // namespace

void count_memory(Warp& w, const Inst& inst, Mask mask, Space space, const uint64_t* address, uint32_t bytes) {
    MemoryCount& to = w.worker->counters.memory[inst.pc];
    ++to.requests;
    to.bytes += static_cast<uint64_t>(std::popcount(mask)) * bytes;
    if (mask == 0) return;
    if (space != Space::generic) return count_in(to, space, mask, address, bytes);
    for (Mask rest = mask; rest != 0;) {
        uint64_t within;
        const Space one = space_of(address[std::countr_zero(rest)], within);
        Mask same = 0;
        for (int l = 0; l < kLanes; ++l) same |= (space_of(address[l], within) == one ? 1u : 0u) << l;
        count_in(to, one, rest & same, address, bytes);
        rest &= ~same;
    }
}

void count_bulk(Warp& w, const Inst& inst, Space space, uint64_t address, uint64_t bytes) {
    MemoryCount& to = w.worker->counters.memory[inst.pc];
    ++to.requests;
    to.bytes += bytes;
    if (bytes == 0) return;
    uint64_t within = address;
    if (space == Space::generic) space = space_of(address, within);
    if (space == Space::global || space == Space::constant || space == Space::local) {
        to.sectors += ((address + bytes - 1) >> 5) - (address >> 5) + 1;
    } else if (space == Space::shared) {
        const uint64_t rows = ((address + bytes - 1) >> 7) - (address >> 7) + 1;
        to.wavefronts += rows;
        to.ideal += rows;
    }
}

}  // namespace emu
