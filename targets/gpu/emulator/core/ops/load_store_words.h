// What a load or store keeps besides its Inst, and the elements' registers where they are wider than memory.
#pragma once
#include "ops/memory_access.h"

namespace emu {

struct LoadStore {
    Order order = Order::weak;
    Scope scope = Scope::sys;
    bool cluster = false;        // shared memory of other CTAs may be meant
    bool is_signed = false;
    bool same = true;            // the registers have memory's size
    bool checked = true;         // the sanitizer is told
    Slot slot[8] = {};
    uint8_t register_bytes[8] = {};
};

/// Bytes a lane of a register: those of 8 bits take two.
inline uint8_t register_bytes(Type declared) {
    const uint32_t bytes = bytes_of(declared);
    return static_cast<uint8_t>(bytes < 2 ? 2 : bytes);
}

/// How many elements an operand must have, and that the hardware has accesses of that size.
inline void check_vector(const Decode& d, uint32_t elements, Type type, Space space) {
    const uint32_t bytes = elements * bytes_of(type);
    if (bytes <= 16) return;
    const bool wide = bytes == 32 && (bytes_of(type) == 4 || bytes_of(type) == 8);
    if (!wide) d.fail("a vector of " + std::to_string(bytes) + " bytes is too long");
    if (space != Space::global && space != Space::generic) d.fail("32 bytes at once are for global memory only");
}

/// Modifiers that only global memory (or a generic address) takes, and cache priorities of the second level only with 32
/// bytes.
inline void check_cache(const Decode& d, uint32_t bytes, Space space) {
    for (const char* level2 : {"L2::evict_normal", "L2::evict_first", "L2::evict_last"}) {
        if (d.has(level2) && bytes != 32) d.fail(std::string(".") + level2 + " is for vectors of 32 bytes only");
    }
    if (space == Space::global || space == Space::generic) return;
    for (const char* word : {"L2::cache_hint", "L2::64B", "L2::128B", "L2::256B"}) {
        if (d.has(word)) d.fail(std::string(".") + word + " is for global memory only");
    }
    for (const char* word : {"L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last",
                             "L1::no_allocate"}) {
        if (d.has(word)) d.fail(std::string(".") + word + " is for global memory only");
    }
}

}  // namespace emu
