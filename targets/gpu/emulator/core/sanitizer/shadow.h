// What is known of every word of memory: who wrote it last, who has read it since, which bytes were ever written.
#pragma once
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "sanitizer/clocks.h"

namespace emu {

/// The last access of a kind. `who`: 0 nobody, else 1 + packed actor, or kSplit, kMixed.
struct Epoch {
    uint64_t who = 0;
    uint32_t clock = 0;
    uint32_t pc = 0;  // with the flags below in its high bits
    // strong: relaxed or more, of scope gpu or sys but for: narrow, of scope cta or cluster; cluster, of that one.
    static constexpr uint32_t strong = 1u << 31, narrow = 1u << 30, cluster = 1u << 29, flags = strong | narrow | cluster;
    static constexpr uint32_t pc_mask = (1u << 24) - 1;
    bool operator==(const Epoch&) const = default;
};

/// How far a strong access reaches: 0 is weak, 1 cta, 2 cluster, 3 gpu and sys. Whatever conflicts with a strong one
/// conflicts with a weaker one, too.
inline int level(uint32_t pc) {
    return !(pc & Epoch::strong) ? 0 : !(pc & Epoch::narrow) ? 3 : (pc & Epoch::cluster) ? 2 : 1;
}

inline uint64_t pack(const Actor& a) { return 1 + (a.cta << kSlotBits | a.slot); }
inline Actor unpack(uint64_t who) { return {(who - 1) >> kSlotBits, static_cast<uint32_t>((who - 1) & (kMaxSlots - 1))}; }

/// Threads of a warp that read (or wrote strongly) at the same clock; or one actor.
struct Reader {
    uint64_t who = 0;   // of lane 0 of the mask's base: actor of bit 0
    uint32_t mask = 1;
    uint32_t clock = 0;
    uint32_t pc = 0;
    bool operator==(const Reader&) const = default;
};

/// A word's (or a byte's) history. `read.who`: 0 nobody; kMany: read.clock indexes RegionShadow::readers; kShared:
/// RegionShadow::shared. `write.who`: kSplit: write.clock indexes the word's four bytes; kMixed: RegionShadow::writes.
struct Cell {
    Epoch write;
    Reader read;
};
constexpr uint64_t kMany = ~uint64_t{0}, kShared = kMany - 1, kMixed = kMany - 2, kSplit = kMany - 3;
inline bool is_set(const Reader& r) { return r.who >= kShared; }
constexpr size_t kMaxReaders = 96;  // of a word: warps of one CTA, and a few of others

/// Strong writes do not order each other: what was written before them is not forgotten for them.
struct Writes {
    Epoch weak;                  // the last one; `who` 0: none
    std::vector<Reader> strong;  // since then
};

/// Readers of many words at once, by an asynchronous instruction; not changed.
struct SharedReaders {
    std::vector<Reader> readers;
    uint32_t owners = 0;
};

/// Clocks that strong writes left at an address, for those who read it.
struct Location {
    static constexpr uint64_t kMany = ~uint64_t{0};
    struct Release {
        int level;                 // as of a write: who in its scope may acquire it
        uint64_t cta, cluster;     // the writer's; kMany: several CTAs, of level 3
        Released clocks;
    };
    std::vector<Release> releases;
    uint64_t who = 0;              // the last thread that released here
};

class RegionShadow : public Shadow {
public:
    RegionShadow(uint64_t launch, uint64_t bytes)
        : launch(launch), words((bytes + 3) / 4), cells_(static_cast<Cell*>(std::calloc(words ? words : 1, sizeof(Cell))), &std::free) {
#if defined(__linux__)
        // Histories are ten times as large as what they are of: most of their time was page faults. Refusal does no harm.
        constexpr uintptr_t kHuge = uintptr_t{1} << 21;
        const uintptr_t from = (reinterpret_cast<uintptr_t>(cells_.get()) + kHuge - 1) & ~(kHuge - 1);
        const uintptr_t to = (reinterpret_cast<uintptr_t>(cells_.get()) + words * sizeof(Cell)) & ~(kHuge - 1);
        if (cells_ && from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
#endif
    }

    uint64_t launch;  // its number: histories end with the launch, while buffers live on
    uint64_t words;
    Cell& cell(uint64_t word) { return cells_.get()[word]; }
    /// The four cells of a word that is accessed by bytes; null while it is not.
    Cell* bytes_of(uint64_t word) {
        const Epoch& e = cell(word).write;
        return e.who == kSplit ? split_[e.clock].data() : nullptr;
    }
    Cell* split(uint64_t word) {
        Cell& whole = cell(word);
        uint32_t index = static_cast<uint32_t>(split_.size());
        if (free_split_.empty()) {
            split_.emplace_back();
        } else {
            index = free_split_.back();
            free_split_.pop_back();
        }
        auto& parts = split_[index];
        for (Cell& c : parts) {
            c = whole;
            if (&c == &parts[0]) continue;
            // Sets are not shared between cells.
            if (c.read.who == kMany) {
                c.read.clock = take_readers();
                readers[c.read.clock] = readers[whole.read.clock];
            } else if (c.read.who == kShared) {
                ++shared[c.read.clock].owners;
            }
            if (c.write.who == kMixed) {
                c.write.clock = take_writes();
                writes[c.write.clock] = writes[whole.write.clock];
            }
        }
        whole = {};
        whole.write = {kSplit, index, 0};
        return parts.data();
    }
    /// Four bytes that one write made are a word again.
    void merge(uint64_t word) {
        Cell& whole = cell(word);
        const uint32_t index = whole.write.clock;
        const auto& parts = split_[index];
        for (const Cell& c : parts) {
            if (c.write.who >= kSplit || c.read.who || !(c.write == parts[0].write)) return;
        }
        whole = parts[0];
        free_split_.push_back(index);
    }
    /// Nothing has happened yet: for the memory of a CTA that begins where one ended.
    void reset() {
        std::memset(static_cast<void*>(cells_.get()), 0, words * sizeof(Cell));
        split_.clear();
        free_split_.clear();
        locations.clear();
        free_readers.clear();
        for (uint32_t k = 0; k < readers.size(); ++k) free_readers.push_back(k);
        shared.clear();
        free_shared_.clear();
        free_writes_.clear();
        for (uint32_t k = 0; k < writes.size(); ++k) free_writes_.push_back(k);
        ++generation;
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
    uint32_t take_writes() {
        if (free_writes_.empty()) {
            writes.emplace_back();
            return static_cast<uint32_t>(writes.size() - 1);
        }
        const uint32_t index = free_writes_.back();
        free_writes_.pop_back();
        writes[index].weak = {};
        writes[index].strong.clear();
        return index;
    }
    uint32_t take_shared() {
        if (free_shared_.empty()) {
            shared.emplace_back();
            return static_cast<uint32_t>(shared.size() - 1);
        }
        const uint32_t index = free_shared_.back();
        free_shared_.pop_back();
        return index;
    }
    void release_shared(uint32_t index) {
        if (--shared[index].owners) return;
        shared[index].readers.clear();
        ++generation;
        free_shared_.push_back(index);
    }
    /// The set of a cell's readers is given back.
    void drop(Reader& r) {
        if (r.who == kMany) free_readers.push_back(r.clock);
        else if (r.who == kShared) release_shared(r.clock);
        r = {};
    }
    void drop(Epoch& e) {
        if (e.who == kMixed) free_writes_.push_back(e.clock);
        e = {};
    }
    std::vector<std::vector<Reader>> readers;
    std::vector<uint32_t> free_readers;
    std::vector<SharedReaders> shared;
    std::vector<Writes> writes;
    std::unordered_map<uint64_t, Location> locations;  // by offset of the access
    uint64_t generation = 0;

private:
    std::unique_ptr<Cell, void (*)(void*)> cells_;
    std::deque<std::array<Cell, 4>> split_;
    std::vector<uint32_t> free_split_, free_shared_, free_writes_;
};

}  // namespace emu
