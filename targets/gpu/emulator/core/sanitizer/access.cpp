// Every access against the history of the words it touches.
#include <algorithm>

#include "sanitizer/checker.h"

namespace emu {

namespace {

/// The lanes that do not store where a lower one does: which of them wins is not defined, but one does, and that is
/// what a program asks for when all threads set the same flag.
Mask first_writers(Mask mask, const Resolved& r) {
    if (mask == kAll) {
        uint64_t falls = 0;
        for (int l = 1; l < kLanes; ++l) falls |= r.address[l] - r.address[l - 1] - 1;  // addresses are below 2^63
        if (falls >> 63 == 0) return mask;
    }
    Mask result = mask;
    uint64_t last = 0;
    bool rising = true;
    for (Mask m = mask; m; m &= m - 1) {
        const uint64_t address = r.address[__builtin_ctz(m)];
        rising = rising && (m == mask || address > last);
        last = address;
    }
    if (rising) return result;
    for (Mask m = mask; m; m &= m - 1) {
        const int lane = __builtin_ctz(m);
        for (Mask n = result & ((Mask{1} << lane) - 1); n; n &= n - 1) {
            if (r.host[__builtin_ctz(n)] == r.host[lane]) {
                result &= ~(Mask{1} << lane);
                break;
            }
        }
    }
    return result;
}

/// Which of the eight bytes that `bits[k]` stands for belong to [offset, offset + bytes).
uint8_t bits_of(uint64_t k, uint64_t offset, uint64_t bytes) {
    unsigned mask = 0xff;
    if (k == offset / 8) mask &= 0xffu << (offset % 8);
    if (k == (offset + bytes - 1) / 8) mask &= 0xffu >> (7 - (offset + bytes - 1) % 8);
    return static_cast<uint8_t>(mask);
}

}  // namespace

bool Checker::knows(Act& a, const Epoch& e) const {
    if (e.who == a.who && !a.in_flight) return true;
    ask(a, e.who);
    return e.clock <= a.known;
}

void Checker::access(Warp& w, const Inst& inst, Mask mask, const Resolved& r, uint32_t bytes, const Access& how) {
    const auto guard = lock();
    mask &= r.ok;
    if (how.write && !how.atomic) mask = first_writers(mask, r);
    if (!mask || access_quickly(w, inst, mask, r, bytes, how)) return;
    Act a = act(w, inst, __builtin_ctz(mask), how);
    Region* last = nullptr;
    RegionShadow* shadow = nullptr;
    for (Mask m = mask; m; m &= m - 1) {
        const int lane = __builtin_ctz(m);
        Region& region = *r.region[lane];
        if (region.space == Space::local || region.space == Space::param) continue;
        if (&region != last) {
            last = &region;
            shadow = &shadow_of(region);
        }
        const uint64_t offset = r.offset(lane);
        become(a, lane);
        // An acquire sees what was released before it looks at anything else.
        if (a.strong && how.read) synchronise(w, inst, lane, region, offset, Access{.read = true, .atomic = how.atomic, .order = how.order, .scope = how.scope});
        check_bytes(a, region, *shadow, offset, bytes);
        if (a.strong && how.write) synchronise(w, inst, lane, region, offset, Access{.write = true, .atomic = how.atomic, .order = how.order, .scope = how.scope});
    }
}

void Checker::access_one(Warp& w, const Inst& inst, int lane, Region& region, uint64_t offset, uint64_t bytes, const Access& how) {
    if (region.space == Space::local || region.space == Space::param) return;
    const auto guard = lock();
    Act a = act(w, inst, lane, how);
    check_bytes(a, region, shadow_of(region), offset, bytes);
}

void Checker::check_bytes(Act& a, Region& region, RegionShadow& shadow, uint64_t offset, uint64_t bytes) {
    if (!bytes || offset + bytes > region.bytes) return;
    if (a.reads_values) check_written(a, region, offset, bytes);
    const uint64_t end = offset + bytes;
    for (uint64_t at = offset; at < end;) {
        const uint64_t word = at / 4;
        const uint64_t stop = std::min(end, word * 4 + 4);
        Cell* parts = shadow.bytes_of(word);
        if (!parts && stop - at < 4 && stop != region.bytes) parts = shadow.split(word);
        if (parts) {
            for (; at < stop; ++at) check_cell(a, region, shadow, parts[at % 4], at, 1);
        } else {
            check_cell(a, region, shadow, shadow.cell(word), at, static_cast<uint32_t>(stop - at));
            at = stop;
        }
    }
    if (a.write) mark_written(region, offset, bytes);
}

void Checker::check_cell(Act& a, Region& region, RegionShadow& shadow, Cell& cell, uint64_t offset, uint32_t bytes) {
    const Epoch& last = cell.write;
    if (last.who) {
        if (!knows(a, last)) {
            // Both strong, and each in the other's scope: ordered by coherence, no race.
            const bool both = a.strong && (last.pc & Epoch::strong);
            const bool far = (a.narrow || (last.pc & Epoch::narrow)) && unpack(last.who).cta != a.cta->cta;
            if (!both || far) conflict(a, region, offset, bytes, last, true);
        } else if (a.proxy != Proxy::generic && (last.who != a.who || !a.in_flight)) {
            // Known, but written by ordinary instructions: the other proxy sees it behind a proxy fence only.
            const Actor writer = unpack(last.who);
            const bool generic = writer.slot < a.cta->threads || [&] {
                const auto it = ctas_.find(writer.cta);
                const size_t agent = writer.slot - a.cta->threads;
                return it != ctas_.end() && agent < it->second->agents.size() && it->second->agents[agent].first == Agent::cp_async;
            }();
            ask(a, last.who);
            if (generic && last.clock > a.fenced) {
                a.warp->finding(Kind::missing_proxy_fence, *a.inst, a.lane, region.begin + offset,
                                where(region, offset) + " was written by " + describe(last.who) + " at " + line_of(last.pc) +
                                    ", and no fence.proxy." + (a.proxy == Proxy::tensormap ? "tensormap" : "async") + " stands between");
            }
        }
    }
    if (!a.write) {
        note_read(a, shadow, cell);
        return;
    }
    const auto check = [&](const Reader& r) {
        for (Mask m = r.mask; m; m &= m - 1) {
            const Epoch e{r.who + static_cast<uint64_t>(__builtin_ctz(m)), r.clock, r.pc};
            if (!knows(a, e) && !(a.strong && (r.pc & Epoch::strong))) return conflict(a, region, offset, bytes, e, false);
        }
    };
    if (cell.read.who == kMany) {
        for (const Reader& r : shadow.readers[cell.read.clock]) check(r);
        shadow.free_readers.push_back(cell.read.clock);
    } else if (cell.read.who) {
        check(cell.read);
    }
    cell.read = {};
    cell.write = {a.who, a.clock, a.inst->pc | (a.strong ? Epoch::strong : 0u) | (a.narrow ? Epoch::narrow : 0u)};
}

bool Checker::knows_reader(Act& a, const Reader& r) const {
    for (Mask m = r.mask; m; m &= m - 1) {
        if (!knows(a, {r.who + static_cast<uint64_t>(__builtin_ctz(m)), r.clock, r.pc})) return false;
    }
    return true;
}

void Checker::note_read(Act& a, RegionShadow& shadow, Cell& cell) {
    // Threads of a warp read together: they share an entry.
    const Actor actor = unpack(a.who);
    const bool thread = actor.slot < a.cta->threads;
    Reader now;
    now.who = thread ? pack({actor.cta, actor.slot / kLanes * kLanes}) : a.who;
    now.mask = thread ? Mask{1} << (actor.slot % kLanes) : 1;
    now.clock = a.clock;
    now.pc = a.inst->pc | (a.strong ? Epoch::strong : 0u) | (a.narrow ? Epoch::narrow : 0u);
    if (cell.read.who != kMany) {
        if (cell.read.who == now.who && cell.read.clock == now.clock) {
            cell.read.mask |= now.mask;
            cell.read.pc = now.pc;
            return;
        }
        if (!cell.read.who || knows_reader(a, cell.read)) {
            cell.read = now;
            return;
        }
        const uint32_t index = shadow.take_readers();
        shadow.readers[index].push_back(cell.read);
        cell.read = {kMany, 0, index, 0};
    }
    auto& readers = shadow.readers[cell.read.clock];
    for (size_t k = readers.size(); k-- > 0;) {
        Reader& r = readers[k];
        if (r.who == now.who && r.clock == now.clock) {
            r.mask |= now.mask;
            r.pc = now.pc;
            return;
        }
    }
    // What this reader knows of needs no entry: who orders a write behind this read orders it behind that one.
    std::erase_if(readers, [&](const Reader& r) { return knows_reader(a, r); });
    if (readers.size() >= kMaxReaders) readers.erase(readers.begin());
    readers.push_back(now);
}

void Checker::conflict(Act& a, Region& region, uint64_t offset, uint32_t bytes, const Epoch& earlier, bool earlier_write) {
    const bool agent = unpack(earlier.who).slot >= a.cta->threads;
    const Kind kind = agent ? Kind::async_before_wait : Kind::race;
    std::string text = std::string(a.write ? "a write of " : "a read of ") + where(region, offset) + " (" + std::to_string(bytes) + " bytes) ";
    text += a.in_flight ? "by an asynchronous instruction " : "";
    if (agent) {
        text += std::string("comes while ") + describe(earlier.who) + ", issued at " + line_of(earlier.pc) + ", may still " +
                (earlier_write ? "write it" : "read it") + ": nothing waited for that";
    } else {
        text += std::string("and a ") + (earlier_write ? "write" : "read") + " by " + describe(earlier.who) + " at " + line_of(earlier.pc) +
                " are not ordered";
        if (a.strong && (earlier.pc & Epoch::strong)) text += " (one is of scope .cta, and they are of different blocks)";
    }
    a.warp->finding(kind, *a.inst, a.lane, region.begin + offset, text);
}

void Checker::check_written(Act& a, Region& region, uint64_t offset, uint64_t bytes) {
    if (region.initialized) return;
    if (!region.written) region.written = std::make_shared<std::vector<uint8_t>>((region.bytes + 7) / 8, 0);
    const auto& bits = *region.written;
    const uint64_t first = offset / 8, last = (offset + bytes - 1) / 8;
    for (uint64_t k = first; k <= last; ++k) {
        const uint8_t missing = static_cast<uint8_t>(~bits[k]) & bits_of(k, offset, bytes);
        if (missing) {
            const uint64_t at = 8 * k + static_cast<uint64_t>(__builtin_ctz(missing));
            a.warp->finding(Kind::uninitialized, *a.inst, a.lane, region.begin + at, "a read of " + where(region, at) + ", which nobody has written");
            return;
        }
    }
}

void Checker::mark_written(Region& region, uint64_t offset, uint64_t bytes) {
    if (region.initialized) return;
    if (!region.written) region.written = std::make_shared<std::vector<uint8_t>>((region.bytes + 7) / 8, 0);
    auto& bits = *region.written;
    const uint64_t first = offset / 8, last = (offset + bytes - 1) / 8;
    for (uint64_t k = first; k <= last; ++k) bits[k] |= bits_of(k, offset, bytes);
}

}  // namespace emu
