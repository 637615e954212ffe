// The usual access of a warp: whole words of one region, by ordinary instructions of threads that know the same, to
// words whose history lies in their own CTA. It is checked for all lanes at a word together. Whatever is not usual, and
// all that looks like a finding, goes the way of access.cpp.
#include <algorithm>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "sanitizer/checker.h"

namespace emu {

namespace {

constexpr size_t kMaxStrangers = 4;  // readers of other CTAs that a word keeps: inputs are read by all of them

/// What some lanes, which are one class, do to words.
struct Group {
    const CtaClock& cta;
    LaneClass& lanes;
    uint64_t cta_base;   // pack() of the CTA's first thread
    uint64_t warp_base;  // ... of the warp's
    uint32_t pc;         // with Epoch's flags
    bool strong, narrow;

    uint32_t clock_at(uint64_t slot) const { return emu::clock_at(lanes.seen, static_cast<uint32_t>(slot)); }

    /// The least that the class knows of a warp's lanes.
    uint32_t least(uint64_t warp) const {
        uint32_t& known = lanes.least[warp];
        if (known == LaneClass::kUnasked) {
            const uint64_t from = warp * kLanes, to = std::min<uint64_t>(from + kLanes, cta.threads);
            if (!lanes.seen || lanes.seen->size() < to) {
                known = 0;
            } else {
                const uint32_t* clocks = lanes.seen->data();
                uint32_t low = LaneClass::kUnasked - 1;
                for (uint64_t k = from; k < to; ++k) low = std::min(low, clocks[k]);
                known = low;
            }
        }
        return known;
    }

    /// True if the write is known to the lanes of `mask`, or needs not be.
    bool write_is_known(const Epoch& e, Mask mask) const {
        if (!e.who) return true;
        const uint64_t slot = e.who - cta_base;
        if (slot < kMaxSlots && clock_at(slot) >= e.clock) return true;
        const bool single = (mask & (mask - 1)) == 0;
        const uint64_t first = warp_base + static_cast<uint64_t>(__builtin_ctz(mask));
        if (slot < cta.threads && single && e.who == first) return true;
        return is_coherent(e.who, e.pc);
    }

    /// Both are strong, ordinary threads', and each is in the other's scope, as far as can be told at once.
    bool is_coherent(uint64_t who, uint32_t other) const {
        if (!strong || !(other & Epoch::strong) || who >= kSplit) return false;
        const uint64_t slot = who - cta_base;
        if (slot < kMaxSlots) return slot < cta.threads;
        return !narrow && !(other & Epoch::narrow) && unpack(who).slot < cta.threads;
    }

    /// True if all of these reads are known to the class, leaving those of the lanes `own` aside.
    bool reader_is_known(const Reader& r, Mask own) const {
        const uint64_t slot = r.who - cta_base;
        if (slot >= kMaxSlots) return false;
        if (slot >= cta.threads) return clock_at(slot) >= r.clock;
        if (least(slot / kLanes) >= r.clock) return true;
        for (Mask m = r.who == warp_base ? r.mask & ~own : r.mask; m; m &= m - 1) {
            if (clock_at(slot + static_cast<uint64_t>(__builtin_ctz(m))) < r.clock) return false;
        }
        return true;
    }

    /// The lanes of `mask` read the word. False: not the usual case, and nothing was changed.
    bool read(RegionShadow& shadow, Cell& cell, Mask mask) const {
        if (!write_is_known(cell.write, mask)) return false;
        Reader& r = cell.read;
        if (r.who == kShared) return false;
        if (r.who == warp_base && r.clock == lanes.clock && level(r.pc) == level(pc)) {
            r.mask |= mask;
            r.pc = pc;
            return true;
        }
        const Reader now{warp_base, mask, lanes.clock, pc};
        if (r.who != kMany) {
            if (!r.who || reader_is_known(r, mask)) {
                r = now;
                return true;
            }
            if (lanes.foreign && r.who - cta_base >= kMaxSlots) return false;
            const uint32_t index = shadow.take_readers();
            shadow.readers[index].push_back(r);
            shadow.readers[index].push_back(now);
            r = {kMany, 0, index, 0};
            return true;
        }
        auto& readers = shadow.readers[r.clock];
        size_t strangers = 0, first_stranger = 0;
        for (size_t k = readers.size(); k-- > 0;) {
            Reader& one = readers[k];
            if (one.who != warp_base) {
                if (one.who - cta_base < kMaxSlots) continue;
                ++strangers;
                first_stranger = k;
                continue;
            }
            if (one.clock == lanes.clock && level(one.pc) == level(pc)) {
                one.mask |= mask;
                one.pc = pc;
                return true;
            }
            if (reader_is_known(one, mask)) {
                one = now;
                return true;
            }
        }
        if (lanes.foreign) return false;
        if (strangers >= kMaxStrangers) readers.erase(readers.begin() + static_cast<ptrdiff_t>(first_stranger));
        if (readers.size() >= kMaxReaders / 4) {
            std::erase_if(readers, [&](const Reader& one) { return reader_is_known(one, mask); });
            if (readers.size() >= kMaxReaders) readers.erase(readers.begin());
        }
        readers.push_back(now);
        return true;
    }

    /// A lane writes the word, or several update it atomically; `last` is the one that history names.
    bool write(RegionShadow& shadow, Cell& cell, Mask mask, int last) const {
        if (strong) return write_strongly(shadow, cell, mask, last);
        if (!write_is_known(cell.write, mask)) return false;
        Reader& r = cell.read;
        if (r.who == kMany) {
            const auto& readers = shadow.readers[r.clock];
            for (const Reader& one : readers) if (!reader_is_known(one, mask)) return false;
            shadow.free_readers.push_back(r.clock);
        } else if (r.who && !reader_is_known(r, mask)) {
            return false;
        }
        r = {};
        cell.write = {warp_base + static_cast<uint64_t>(last), lanes.clock, pc};
        return true;
    }

    /// Strong writes do not order each other, so that they gather: see Checker::note_write.
    bool write_strongly(RegionShadow& shadow, Cell& cell, Mask mask, int last) const {
        if (cell.read.who) return false;
        const Reader now{warp_base, mask, lanes.clock, pc};
        Epoch& e = cell.write;
        if (e.who == kMixed) {
            Writes& writes = shadow.writes[e.clock];
            if (!write_is_known(writes.weak, mask)) return false;
            for (const Reader& one : writes.strong) if (!is_coherent(one.who, one.pc)) return false;
            return gather(writes.strong, now);
        }
        if (!write_is_known(e, mask)) return false;
        const uint64_t slot = e.who - cta_base;
        const bool single = (mask & (mask - 1)) == 0, own = e.who == warp_base + static_cast<uint64_t>(last);
        const bool replaces = level(e.pc) >= level(pc) && slot < kMaxSlots && (own || clock_at(slot) >= e.clock);
        if (single && (!e.who || replaces)) {
            e = {warp_base + static_cast<uint64_t>(last), lanes.clock, pc};
            return true;
        }
        const uint32_t index = shadow.take_writes();
        Writes& writes = shadow.writes[index];
        if (e.who && level(e.pc) == 0) {
            writes.weak = e;
        } else if (e.who) {
            const uint32_t before = unpack(e.who).slot, lane = before < cta.threads ? before % kLanes : 0;
            writes.strong.push_back({e.who - lane, Mask{1} << lane, e.clock, e.pc});
        }
        e = {kMixed, index, 0};
        return gather(writes.strong, now);
    }

    /// Adds to a set; false where it should be thinned out first.
    static bool gather(std::vector<Reader>& set, const Reader& now) {
        for (size_t k = set.size(); k-- > 0;) {
            Reader& one = set[k];
            if (one.who != now.who || one.clock != now.clock || level(one.pc) != level(now.pc)) continue;
            one.mask |= now.mask;
            one.pc = now.pc;
            return true;
        }
        if (set.size() >= 8 && (set.size() & (set.size() - 1)) == 0) return false;
        set.push_back(now);
        return true;
    }
};

/// The lanes of `mask` whose offset is that of `lane`.
Mask same_offset(const uint32_t* offset, int lane, Mask mask) {
#if defined(__AVX512F__)
    // The loop below would take 20 instructions here, and this is called for every word.
    const __m512i wanted = _mm512_set1_epi32(static_cast<int>(offset[lane]));
    const Mask low = _mm512_cmpeq_epi32_mask(_mm512_load_si512(offset), wanted);
    const Mask high = _mm512_cmpeq_epi32_mask(_mm512_load_si512(offset + 16), wanted);
    return (low | high << 16) & mask;
#else
    const uint32_t wanted = offset[lane];
    Mask same = 0;
    for (int l = 0; l < kLanes; ++l) same |= static_cast<Mask>(offset[l] == wanted) << l;
    return same & mask;
#endif
}

/// A bit for each of `bytes` (at most 32) bytes from `offset`, a multiple of 4, as far as they are written.
bool all_written(const uint8_t* bits, uint32_t offset, uint32_t bytes) {
    if (bytes == 4) return (bits[offset / 8] >> (offset & 4) & 15) == 15;
    for (uint32_t k = 0; k < bytes; k += 8) if (bits[(offset + k) / 8] != 0xff) return false;
    return true;
}

void set_written(uint8_t* bits, uint32_t offset, uint32_t bytes) {
    if (bytes == 4) {
        bits[offset / 8] |= static_cast<uint8_t>(15 << (offset & 4));
        return;
    }
    for (uint32_t k = 0; k < bytes; k += 8) bits[(offset + k) / 8] = 0xff;
}

}  // namespace

void Checker::make_classes(Warp& w, CtaClock& cta) {
    WarpClock& warp = cta.warp[w.index];
    warp.stale = false;
    warp.class_count = 0;
    for (Mask rest = w.threads; rest; rest &= rest - 1) {
        const int lane = __builtin_ctz(rest);
        const ThreadClock& t = cta.thread[w.thread(lane)];
        uint32_t k = 0;
        while (k < warp.class_count && !(warp.classes[k].clock == t.clock && warp.classes[k].seen == t.seen)) ++k;
        if (k == WarpClock::kClasses) {
            warp.class_count = WarpClock::kClasses + 1;
            return;
        }
        LaneClass& c = warp.classes[k];
        if (k == warp.class_count) {
            ++warp.class_count;
            c.mask = 0;
            c.clock = t.clock;
            c.seen = t.seen;
            c.foreign = c.fences = false;
            c.least.assign(cta.warp.size(), LaneClass::kUnasked);
        }
        c.mask |= Mask{1} << lane;
        c.foreign = c.foreign || t.foreign;
        c.fences = c.fences || t.relaxed;
    }
}

bool Checker::access_quickly(Warp& w, const Inst& inst, Mask mask, const Resolved& r, uint32_t bytes,
                             const Access& how) {
    Region* region = r.uniform;
    if (!region) return false;
    if (region->space == Space::local || region->space == Space::param) return true;
    if (region->cta && region->cta != w.cta && !region->cta->live_threads()) return false;
    if (bytes % 4 || bytes > 32 || how.proxy != Proxy::generic || region->bytes >> 32 || region->bytes % 4) {
        return false;
    }
    if (region->begin & (bytes - 1)) return false;
    // Strong accesses are quick where there is nothing to synchronise.
    const bool strong = how.order != Order::weak || how.atomic;
    if (strong && (!how.atomic || how.order != Order::relaxed)) return false;
    RegionShadow& shadow = shadow_of(*region);
    if (strong && !shadow.locations.empty()) return false;
    CtaClock& cta = clock_of(w);
    WarpClock& warp = cta.warp[w.index];
    if (warp.stale) make_classes(w, cta);
    if (warp.class_count > WarpClock::kClasses) return false;
    if (strong) {
        for (uint32_t k = 0; k < warp.class_count; ++k)
            if ((warp.classes[k].mask & mask) && warp.classes[k].fences) return false;
    }

    alignas(64) uint32_t offset[kLanes];
    const auto host = reinterpret_cast<uintptr_t>(region->host);
    for (int l = 0; l < kLanes; ++l) offset[l] = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(r.host[l]) - host);
    uint8_t* written = nullptr;
    if (!region->initialized) {
        if (!region->written) region->written = std::make_shared<std::vector<uint8_t>>((region->bytes + 7) / 8, 0);
        written = region->written->data();
    }
    const bool narrow = strong && (how.scope == Scope::cta || how.scope == Scope::cluster);
    const uint32_t pc = inst.pc | (strong ? Epoch::strong : 0u) | (narrow ? Epoch::narrow : 0u) |
                        (narrow && how.scope == Scope::cluster ? Epoch::cluster : 0u);
    const uint64_t cta_base = pack({cta.cta, 0});
    const bool together = !how.write || how.atomic;
    for (uint32_t k = 0; k < warp.class_count; ++k) {
        const Group group{cta, warp.classes[k], cta_base, cta_base + w.thread0, pc, strong, narrow};
        for (Mask rest = mask & warp.classes[k].mask; rest;) {
            const int lane = __builtin_ctz(rest);
            const uint32_t at = offset[lane];
            Mask same = Mask{1} << lane;
            if (together && (rest & ~same)) same = same_offset(offset, lane, rest);
            rest &= ~same;
            const int last = 31 - __builtin_clz(same);
            // All words of the lanes, or the slow way for those that are left; what is done already may be done again.
            bool done = !(written && how.read) || all_written(written, at, bytes);
            for (uint32_t b = 0; done && b < bytes; b += 4) {
                Cell& cell = shadow.cell((at + b) / 4);
                done = how.write ? group.write(shadow, cell, same, last) : group.read(shadow, cell, same);
            }
            if (done) {
                if (written && how.write) set_written(written, at, bytes);
                continue;
            }
            for (Mask m = same; m; m &= m - 1) {
                Act a = act(w, inst, __builtin_ctz(m), how);
                a.base = r.address[a.lane] - at;
                check_bytes(a, *region, shadow, at, bytes);
            }
        }
    }
    return true;
}

}  // namespace emu
