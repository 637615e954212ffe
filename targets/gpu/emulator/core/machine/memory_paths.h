// Quick ways from the lanes' addresses to memory, for the usual warp: all its lanes in one region. What does not fit here
// goes through resolve(), which is also the one that reports faults.
#pragma once
#include <bit>
#include <cstring>

#include "machine/cta.h"
#include "machine/launch.h"
#include "machine/memory_count.h"

namespace emu {

/// The addresses [begin, begin + bytes) of an instruction's space (or generic ones) lie at `host`.
struct Place {
    uint8_t* host = nullptr;
    uint64_t begin = 0, bytes = 0;
    Region* region = nullptr;
    Space space = Space::global;  // the instruction's, or where its generic address leads
};

/// Where `address` lies; false if nobody owns it, or for local memory, which is a lane's own. `cluster`: shared memory of
/// other CTAs may be meant (always so for generic addresses).
bool place_of(Warp& warp, const Inst& inst, Space space, uint64_t address, bool cluster, Place& place);

/// All ones for a lane of the mask, zero for others.
inline uint64_t lane_ones(Mask mask, int lane) { return uint64_t{0} - (mask >> lane & 1u); }

/// True if every lane of the mask has its address in [begin, begin + room] and aligned to `align`.
inline bool all_inside(Mask mask, const uint64_t* address, uint64_t begin, uint64_t room, uint32_t align) {
    // An offset is too large, or its address below `begin`, if the top bit of offset or of room - offset is set: regions
    // are far smaller than 2^63.
    uint64_t wrong = 0, low = 0;
    if (mask == kAll) {
        for (int l = 0; l < kLanes; ++l) {
            const uint64_t offset = address[l] - begin;
            wrong |= offset | (room - offset);
            low |= address[l];
        }
    } else {
        for (int l = 0; l < kLanes; ++l) {
            const uint64_t offset = address[l] - begin;
            wrong |= (offset | (room - offset)) & lane_ones(mask, l);
            low |= address[l] & lane_ones(mask, l);
        }
    }
    return (wrong >> 63) == 0 && (low & (align - 1)) == 0;
}

/// True if the lanes of the mask lie one behind the other, `bytes` each, seen from its first.
template <uint32_t bytes>
inline bool consecutive(Mask mask, const uint64_t* address, int first) {
    const uint64_t origin = address[first] - static_cast<uint64_t>(first) * bytes;
    uint64_t wrong = 0;
    if (mask == kAll) {
        for (int l = 0; l < kLanes; ++l) wrong |= address[l] ^ (origin + static_cast<uint64_t>(l) * bytes);
    } else {
        for (int l = 0; l < kLanes; ++l) {
            wrong |= (address[l] ^ (origin + static_cast<uint64_t>(l) * bytes)) & lane_ones(mask, l);
        }
    }
    return wrong == 0;
}

/// True if the lanes of the mask have one address.
inline bool uniform(Mask mask, const uint64_t* address, int first) {
    uint64_t wrong = 0;
    if (mask == kAll) {
        for (int l = 0; l < kLanes; ++l) wrong |= address[l] ^ address[first];
    } else {
        for (int l = 0; l < kLanes; ++l) wrong |= (address[l] ^ address[first]) & lane_ones(mask, l);
    }
    return wrong == 0;
}

/// How the lanes of a request lie to each other; `level`: in local memory, all at the same address.
enum class Pattern : uint8_t { consecutive, uniform, scattered, by_lane, level };

/// Lanes that all passed the checks: lane l's bytes are at origin + address[l] + l * stride.
struct Flat {
    uintptr_t origin = 0;
    uint64_t stride = 0;  // of local memory; 0 elsewhere
    Pattern pattern = Pattern::scattered;
    Space space = Space::global;  // never generic
    int first = 0, last = 0;      // lanes of the mask
    uint8_t* at(const uint64_t* address, int lane) const {
        return reinterpret_cast<uint8_t*>(origin + address[lane] + static_cast<uint64_t>(lane) * stride);
    }
    /// Where `stride` is 0.
    uint8_t* straight(const uint64_t* address, int lane) const {
        return reinterpret_cast<uint8_t*>(origin + address[lane]);
    }
    bool is_local() const { return pattern >= Pattern::by_lane; }
};

/// place_of() with its usual answers at hand: the region of global memory that the instruction met last, and the block's
/// own shared memory.
inline bool quick_place(Warp& w, const Inst& i, Space space, uint64_t address, bool cluster, Place& place) {
    if (space == Space::shared) {
        if (address >> kRankShift == w.cta->rank) {
            place.region = &w.cta->shared;
            place.begin = (static_cast<uint64_t>(w.cta->rank) << kRankShift) + kSharedStart;
            place.host = place.region->host;
            place.bytes = place.region->bytes;
            place.space = Space::shared;
            return true;
        }
    } else if (space != Space::param) {
        // No window overlaps a region of global memory, so this holds for generic addresses, too.
        Region* recent = w.worker->recent[i.pc & 63];
        if (recent != nullptr && address - recent->begin < recent->bytes) {
            place.region = recent;
            place.begin = recent->begin;
            place.host = recent->host;
            place.bytes = recent->bytes;
            place.space = space == Space::generic ? Space::global : space;
            return true;
        }
    }
    return place_of(w, i, space, address, cluster, place);
}

/// Checks lanes that access `bytes` each, aligned to `bytes`; false if they are not all in one region and well (then
/// resolve() does it, and reports).
template <uint32_t bytes>
inline bool flat(Warp& w, const Inst& i, Mask mask, Space space, const uint64_t* address, bool write, bool cluster,
                 Flat& out) {
    out.first = std::countr_zero(mask);
    out.last = 31 - std::countl_zero(mask);
    const uint64_t lowest = address[out.first];
    Place place;
    if (space == Space::local || !quick_place(w, i, space, lowest, cluster, place)) {
        uint64_t window = 0;
        if (space == Space::generic && lowest >> 32 == kLocalWindow >> 32) window = kLocalWindow;
        else if (space != Space::local) return false;
        if (w.local_lane < bytes || !all_inside(mask, address, window, w.local_lane - bytes, bytes)) return false;
        out.origin = reinterpret_cast<uintptr_t>(w.local.host) - window;
        out.stride = w.local_lane;
        out.space = Space::local;
        out.pattern = uniform(mask, address, out.first) ? Pattern::level : Pattern::by_lane;
        return true;
    }
    if (place.bytes < bytes || (write && !place.region->writable)) return false;
    out.origin = reinterpret_cast<uintptr_t>(place.host) - place.begin;
    out.stride = 0;
    out.space = place.space;
    const uint64_t room = place.bytes - bytes;
    if (consecutive<bytes>(mask, address, out.first)) {
        out.pattern = Pattern::consecutive;
        const uint64_t extent = static_cast<uint64_t>(out.last - out.first) * bytes;
        return (lowest & (bytes - 1)) == 0 && extent <= room && lowest - place.begin <= room - extent;
    }
    if (uniform(mask, address, out.first)) {
        out.pattern = Pattern::uniform;
        return (lowest & (bytes - 1)) == 0 && lowest - place.begin <= room;
    }
    out.pattern = Pattern::scattered;
    return all_inside(mask, address, place.begin, room, bytes);
}

/// Counts a request that flat() found: closed forms where its pattern has one.
template <uint32_t bytes>
inline void count_flat(Warp& w, const Inst& i, Mask mask, const uint64_t* address, const Flat& f) {
    const auto lanes = static_cast<uint32_t>(std::popcount(mask));
    const bool gapless = lanes == static_cast<uint32_t>(f.last - f.first) + 1;
    const bool is_uniform = f.pattern == Pattern::uniform;
    const bool known = is_uniform ? f.space != Space::shared || lanes == 1 || bytes <= 4
                                  : gapless && (f.pattern == Pattern::consecutive || f.pattern == Pattern::level);
    if (!known) {
        count_memory(w, i, mask, f.space, address, bytes);
        return;
    }
    MemoryCount& to = w.worker->counters.memory[i.pc];
    ++to.requests;
    to.bytes += static_cast<uint64_t>(lanes) * bytes;
    if (f.space == Space::global || f.space == Space::constant) {
        const uint64_t low = address[f.first];
        to.sectors += is_uniform ? 1 : ((low + lanes * bytes - 1) >> 5) - (low >> 5) + 1;
    } else if (f.space == Space::shared) {
        constexpr int group = bytes <= 4 ? kLanes : static_cast<int>(128 / bytes);
        const int passes = is_uniform ? 1 : f.last / group - f.first / group + 1;
        to.wavefronts += static_cast<uint64_t>(passes);
        to.ideal += static_cast<uint64_t>(passes);
    } else if (f.space == Space::local) {
        constexpr uint32_t words = (bytes + 3) / 4;  // eight lanes' words are a sector
        to.sectors += static_cast<uint64_t>(f.last / 8 - f.first / 8 + 1) * words;
    }
}

}  // namespace emu
