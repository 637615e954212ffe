// What is known of every word of memory: who wrote it last, who has read it since, which bytes were ever written.
#pragma once
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#include "sanitizer/clocks.h"

namespace emu {

/// The last access of a kind. `who`: 0 nobody, else 1 + packed actor.
struct Epoch {
    uint64_t who = 0;
    uint32_t clock = 0;
    uint32_t pc = 0;  // with the flags below in its high bits
    static constexpr uint32_t strong = 1u << 31, narrow = 1u << 30, pc_mask = (1u << 24) - 1;
};

inline uint64_t pack(const Actor& a) { return 1 + (a.cta << kSlotBits | a.slot); }
inline Actor unpack(uint64_t who) { return {(who - 1) >> kSlotBits, static_cast<uint32_t>((who - 1) & (kMaxSlots - 1))}; }

/// Threads of a warp that read a word at the same clock; or one actor.
struct Reader {
    uint64_t who = 0;   // of lane 0 of the mask's base: actor of bit 0
    uint32_t mask = 1;
    uint32_t clock = 0;
    uint32_t pc = 0;
};

/// A word's (or a byte's) history. `read.who`: 0 nobody; kMany: read.clock indexes RegionShadow::readers.
struct Cell {
    Epoch write;
    Reader read;
};
constexpr uint64_t kMany = ~uint64_t{0};
constexpr size_t kMaxReaders = 96;  // of a word: warps of one CTA, and a few of others

/// Clocks that a strong write or an atomic left at an address, for those who read it.
struct Location {
    Released wide, narrow;       // by scope: cluster and beyond; cta only
    uint64_t narrow_cta = 0;
};

class RegionShadow : public Shadow {
public:
    RegionShadow(uint64_t launch, uint64_t bytes)
        : launch(launch), words((bytes + 3) / 4), cells_(static_cast<Cell*>(std::calloc(words ? words : 1, sizeof(Cell))), &std::free) {}

    uint64_t launch;  // its number: histories end with the launch, while buffers live on
    uint64_t words;
    Cell& cell(uint64_t word) { return cells_.get()[word]; }
    /// The four cells of a word that is accessed by bytes; null while it is not.
    Cell* bytes_of(uint64_t word) {
        if (split_.empty()) return nullptr;
        const auto it = split_.find(word);
        return it == split_.end() ? nullptr : it->second.data();
    }
    Cell* split(uint64_t word) {
        auto [it, fresh] = split_.try_emplace(word);
        if (fresh) {
            for (Cell& c : it->second) {
                c = cell(word);
                // A set of readers is not shared between cells.
                if (c.read.who == kMany) {
                    const uint32_t from = c.read.clock;
                    c.read.clock = take_readers();
                    readers[c.read.clock] = readers[from];
                }
            }
        }
        return it->second.data();
    }
    bool any_split() const { return !split_.empty(); }
    /// Nothing has happened yet: for the memory of a CTA that begins where one ended.
    void reset() {
        std::memset(static_cast<void*>(cells_.get()), 0, words * sizeof(Cell));
        split_.clear();
        locations.clear();
        free_readers.clear();
        for (uint32_t k = 0; k < readers.size(); ++k) free_readers.push_back(k);
    }
    /// An empty set of readers; sets keep their memory when they are given back.
    uint32_t take_readers() {
        if (free_readers.empty()) {
            readers.emplace_back();
            return static_cast<uint32_t>(readers.size() - 1);
        }
        const uint32_t index = free_readers.back();
        free_readers.pop_back();
        readers[index].clear();
        return index;
    }
    std::vector<std::vector<Reader>> readers;
    std::vector<uint32_t> free_readers;
    std::unordered_map<uint64_t, Location> locations;  // by offset of the access

private:
    std::unique_ptr<Cell, void (*)(void*)> cells_;
    std::unordered_map<uint64_t, std::array<Cell, 4>> split_;
};

}  // namespace emu
