// Counting of memory requests. Consecutive and uniform ones have closed forms, see count_flat(); the rest counts what
// is distinct.
#include "machine/memory_count.h"

#include <algorithm>
#include <bit>

#include "machine/memory_paths.h"

namespace emu {
namespace {

constexpr uint32_t kSlotBits = 13, kSlots = 1u << kSlotBits;  // many more than lanes: keys rarely meet

/// A hash table that is empty between calls: 1 + the place in `known` below, 0 if free. Not inlined, or the compiler
/// asks for the thread's address again in each round of a loop.
[[gnu::noinline]] uint8_t* table_of_thread() {
    static thread_local uint8_t table[kSlots];
    return table;
}

/// Calls visit(lane, is_first) for the lanes of the mask in order: is it the first with its key? Returns how many are.
template <class Visit>
inline uint32_t each_first(Mask mask, const uint64_t* key, Visit visit) {
    uint8_t* const slots = table_of_thread();
    uint64_t known[kLanes + 1];
    uint32_t used[kLanes + 1], n = 0;
    for (Mask rest = mask; rest != 0; rest &= rest - 1) {
        const int l = std::countr_zero(rest);
        const uint64_t own = key[l];
        auto slot = static_cast<uint32_t>((own * 0x9e3779b97f4a7c15ull) >> (64 - kSlotBits));
        uint32_t place = slots[slot];
        while (place != 0 && known[place] != own) {
            slot = (slot + 1) & (kSlots - 1);
            place = slots[slot];
        }
        // Without branches on whether it is the first: none could be predicted.
        const uint32_t first = place == 0 ? 1 : 0;
        n += first;
        place |= n & (0u - first);
        slots[slot] = static_cast<uint8_t>(place);
        known[place] = own;
        used[place] = slot;
        visit(l, first);
    }
    for (uint32_t k = 1; k <= n; ++k) slots[used[k]] = 0;
    return n;
}

/// True if the addresses of all 32 lanes rise (or fall) by the same step.
bool strided(const uint64_t* address, uint64_t& step) {
    step = address[1] - address[0];
    uint64_t wrong = 0;
    for (uint64_t l = 0; l < kLanes; ++l) wrong |= address[l] ^ (address[0] + l * step);
    return wrong == 0;
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
    uint64_t step = 0;
    if (mask == kAll && strided(address, step)) {
        const uint64_t size = step >> 63 ? uint64_t{0} - step : step;
        if (size >= 32) return kLanes;
        const uint64_t a = address[0] >> 5, b = address[kLanes - 1] >> 5;
        return static_cast<uint32_t>(a < b ? b - a : a - b) + 1;  // none is left out
    }
    uint64_t sector[kLanes];
    for (int l = 0; l < kLanes; ++l) sector[l] = address[l] >> 5;
    return each_first(mask, sector, [](int, uint32_t) {});
}

Wavefronts wavefronts_of(Mask mask, const uint64_t* address, uint32_t bytes) {
    Wavefronts result;
    if (mask == 0) return result;
    const uint32_t shift = unit_shift(bytes), group = 128u >> shift;
    result.ideal = groups_in(mask, group);
    // A virtual bank for each unit of each group: lanes of different groups never meet.
    uint32_t unit[kLanes], bank[kLanes], seen = 0;
    for (int l = 0; l < kLanes; ++l) unit[l] = static_cast<uint32_t>(address[l]) >> shift;
    for (uint32_t l = 0; l < kLanes; ++l) {
        bank[l] = (unit[l] & (group - 1)) | (l & ~(group - 1));
        seen |= (mask >> l & 1u) << bank[l];
    }
    if (std::popcount(seen) == std::popcount(mask)) {
        result.taken = result.ideal;
        return result;
    }
    uint64_t step = 0;
    if (mask == kAll && strided(address, step) && step != 0 && (step & ((1u << shift) - 1)) == 0) {
        // Units that are a multiple of some power of two apart use as many fewer banks.
        const uint64_t apart = step >> shift;
        const auto shared = static_cast<uint32_t>(std::min<uint64_t>(apart & (~apart + 1), group));
        result.taken = kLanes / group * shared;
        return result;
    }
    // The same word in the same group is one access; the others of a bank go one after the other.
    uint64_t key[kLanes];
    for (int l = 0; l < kLanes; ++l) key[l] = uint64_t{unit[l]} << 5 | bank[l];
    uint8_t words[kLanes] = {};
    each_first(mask, key,
               [&](int l, uint32_t first) { words[bank[l]] = static_cast<uint8_t>(words[bank[l]] + first); });
    for (uint32_t from = 0; from < kLanes; from += group) {
        result.taken += *std::max_element(words + from, words + from + group);
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

/// How the lanes of an earlier request lay to each other, and what it cost.
struct Request {
    alignas(64) uint32_t apart[kLanes] = {};  // bytes from the first lane
    Mask mask = 0;                            // 0: unused
    uint32_t bytes = 0;
    uint8_t low = 0;                          // the first lane's place in its sector or word
    Space space = Space::none;
    uint16_t sectors = 0, wavefronts = 0, ideal = 0;
};
constexpr uint32_t kRequests = 64;

/// Count_in() by memory of earlier requests. What a request costs depends on how its lanes lie to each other, and on
/// where the first lies in its sector (its word, for the banks: to shift all lanes by words turns the banks around).
/// Loads by the same register and those of the next turn of a loop have that in common.
void count_known(const Inst& inst, MemoryCount& to, Space space, Mask mask, const uint64_t* address, uint32_t bytes) {
    const uint64_t first = address[std::countr_zero(mask)];
    alignas(64) uint32_t apart[kLanes];
    uint64_t far = 0;
    for (int l = 0; l < kLanes; ++l) {
        const uint64_t d = (address[l] - first) & lane_ones(mask, l);
        apart[l] = static_cast<uint32_t>(d);
        far |= d + 0x80000000u;
    }
    if (far >> 32) return count_in(to, space, mask, address, bytes);
    const auto low = static_cast<uint8_t>(space == Space::shared ? first & (bytes < 4 ? 3 : bytes - 1) : first & 31);
    static thread_local Request requests[kRequests];
    Request& e = requests[(inst.a / 64 + (space == Space::shared ? kRequests / 4 : 0)) % kRequests];
    uint32_t differ = (e.mask ^ mask) | (e.bytes ^ bytes) | static_cast<uint32_t>(e.low ^ low) |
                      (static_cast<uint32_t>(e.space) ^ static_cast<uint32_t>(space));
    for (int l = 0; l < kLanes; ++l) differ |= e.apart[l] ^ apart[l];
    if (differ) {
        MemoryCount one;
        count_in(one, space, mask, address, bytes);
        std::memcpy(e.apart, apart, sizeof apart);
        e.mask = mask;
        e.bytes = bytes;
        e.low = low;
        e.space = space;
        e.sectors = static_cast<uint16_t>(one.sectors);
        e.wavefronts = static_cast<uint16_t>(one.wavefronts);
        e.ideal = static_cast<uint16_t>(one.ideal);
    }
    to.sectors += e.sectors;
    to.wavefronts += e.wavefronts;
    to.ideal += e.ideal;
}

}  // namespace

void count_memory(Warp& w, const Inst& inst, Mask mask, Space space, const uint64_t* address, uint32_t bytes) {
    MemoryCount& to = w.worker->counters.memory[inst.pc];
    ++to.requests;
    to.bytes += static_cast<uint64_t>(std::popcount(mask)) * bytes;
    if (mask == 0) return;
    if (space == Space::shared || space == Space::global || space == Space::constant) {
        return count_known(inst, to, space, mask, address, bytes);
    }
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
