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
        a.base = r.address[lane] - offset;
        if (ended(a, region, offset)) continue;
        // An acquire sees what was released before it looks at anything else.
        if (a.strong && how.read) {
            synchronise(w, inst, lane, region, offset,
                        Access{.read = true, .atomic = how.atomic, .order = how.order, .scope = how.scope});
        }
        check_bytes(a, region, *shadow, offset, bytes);
        if (a.strong && how.write) {
            synchronise(w, inst, lane, region, offset,
                        Access{.write = true, .atomic = how.atomic, .order = how.order, .scope = how.scope});
        }
    }
}

void Checker::access_one(Warp& w, const Inst& inst, int lane, Region& region, uint64_t offset, uint64_t bytes,
                         const Access& how) {
    if (region.space == Space::local || region.space == Space::param) return;
    const auto guard = lock();
    Act a = act(w, inst, lane, how);
    a.base = base_of(w, region);
    if (!ended(a, region, offset)) check_bytes(a, region, shadow_of(region), offset, bytes);
}

/// The address at which the warp finds a region.
uint64_t Checker::base_of(const Warp& w, const Region& region) {
    const bool remote = region.cta && region.cta != w.cta;
    return region.begin + (remote ? uint64_t{region.cta->rank} << kRankShift : 0);
}

/// Shared memory ends with its block.
bool Checker::ended(Act& a, const Region& region, uint64_t offset) const {
    if (!region.cta || region.cta == a.warp->cta || region.cta->live_threads()) return false;
    a.warp->finding(
        Kind::out_of_bounds, *a.inst, a.lane, a.base + offset,
        where(region, offset) +
            ": that block has ended, and its shared memory with it; a barrier.cluster behind the last access "
            "would keep it");
    return true;
}

void Checker::check_bytes(Act& a, Region& region, RegionShadow& shadow, uint64_t offset, uint64_t bytes) {
    if (!bytes || offset + bytes > region.bytes) return;
    if (a.reads_values) check_written(a, region, offset, bytes);
    const uint64_t end = offset + bytes;
    for (uint64_t at = offset; at < end;) {
        const uint64_t word = at / 4, next = word * 4 + 4;
        const uint64_t stop = std::min(end, next);
        const bool whole = at == word * 4 && stop == std::min(next, region.bytes);
        Cell* parts = shadow.bytes_of(word);
        if (!parts && !whole) parts = shadow.split(word);
        if (parts) {
            for (; at < stop; ++at) check_cell(a, region, shadow, parts[at % 4], at, 1);
            if (whole && a.write && !a.strong && next <= region.bytes) shadow.merge(word);
        } else {
            check_cell(a, region, shadow, shadow.cell(word), at, static_cast<uint32_t>(stop - at));
            at = stop;
        }
    }
    if (a.write) mark_written(region, offset, bytes);
}

/// The same for what reaches over many words: those with one history are one case.
void Checker::check_run(Act& a, Region& region, RegionShadow& shadow, uint64_t offset, uint64_t bytes) {
    if (offset % 4 || bytes % 4 || a.strong || offset + bytes > region.bytes) {
        return check_bytes(a, region, shadow, offset, bytes);
    }
    if (!bytes) return;
    if (a.reads_values) check_written(a, region, offset, bytes);
    const Epoch now{a.who, a.clock, a.inst->pc};
    if (run_.shadow != &shadow || run_.thread != a.thread || run_.who != a.who || run_.clock != a.clock ||
        run_.write != a.write || run_.proxy != a.proxy) {
        run_ = {};
        run_.shadow = &shadow;
        run_.thread = a.thread;
        run_.who = a.who;
        run_.clock = a.clock;
        run_.write = a.write;
        run_.proxy = a.proxy;
    }
    for (uint64_t at = offset; at < offset + bytes; at += 4) {
        Cell& c = shadow.cell(at / 4);
        if (run_.generation == shadow.generation && c.write == run_.written) {
            if (c.read == run_.before) {
                if (a.write) {
                    shadow.drop(c.read);
                    c.write = now;
                } else {
                    if (run_.after.who == kShared) ++shadow.shared[run_.after.clock].owners;
                    shadow.drop(c.read);
                    c.read = run_.after;
                }
                continue;
            }
            if (!a.write && c.read == run_.after) continue;
        }
        if (c.write.who == kSplit) {
            check_bytes(a, region, shadow, at, 4);
            continue;
        }
        const Cell before = c;
        const uint64_t found = found_;
        check_cell(a, region, shadow, c, at, 4);
        if (c.read.who == kMany) {
            const uint32_t own = c.read.clock, index = shadow.take_shared();
            shadow.shared[index].readers.swap(shadow.readers[own]);
            shadow.shared[index].owners = 1;
            shadow.free_readers.push_back(own);
            c.read = {kShared, 0, index, 0};
        }
        if (found != found_ || before.read.who == kMany || before.write.who == kMixed) continue;
        run_.written = before.write;
        run_.before = before.read;
        run_.after = c.read;
        run_.generation = shadow.generation;
    }
    if (a.write) mark_written(region, offset, bytes);
}

/// Both are strong, and each is in the other's scope: coherence orders them, and that is no race.
bool Checker::coherent(const Act& a, uint64_t who, uint32_t pc) const {
    const int least = std::min(a.strong ? level(a.flags) : 0, level(pc));
    if (least == 0 || least == 3) return least == 3;
    const uint64_t other = unpack(who).cta;
    if (other == a.cta->cta) return true;
    if (least == 1) return false;
    const auto it = ctas_.find(other);
    return it != ctas_.end() && it->second->cluster == a.cta->cluster;
}

/// Lanes of a warp that all issue a bulk copy to one place: the hardware's is one copy for all of them, and CUTLASS's
/// epilogues have whole warps store. A lane's own earlier copy is another matter.
bool Checker::same_copy(const Act& a, const Epoch& e) const {
    if (!a.in_flight || !a.write || ((e.pc ^ a.inst->pc) & ~Epoch::flags)) return false;
    const Actor now = unpack(a.who), before = unpack(e.who);
    const auto& agents = a.cta->agents;
    if (before.cta != a.cta->cta || now == before || std::min(now.slot, before.slot) < a.cta->threads) return false;
    const auto& [kind, whose] = agents[now.slot - a.cta->threads];
    const auto& [kind_before, whose_before] = agents[before.slot - a.cta->threads];
    return kind == Agent::bulk_write && kind_before == Agent::bulk_write && whose / kLanes == whose_before / kLanes;
}

/// An access against one before it. False: a finding was made.
bool Checker::check_order(Act& a, Region& region, uint64_t offset, uint32_t bytes, const Reader& r,
                          bool earlier_write) {
    // Atomic operations of two proxies are not atomic to each other.
    const bool coherent_with = coherent(a, r.who, r.pc) && (a.proxy == Proxy::generic) == is_generic(a, r.who);
    if (coherent_with && a.proxy == Proxy::generic) return true;
    for (Mask m = r.mask; m; m &= m - 1) {
        const Epoch e{r.who + static_cast<uint64_t>(__builtin_ctz(m)), r.clock, r.pc};
        if (!knows(a, e)) {
            if (coherent_with || (earlier_write && same_copy(a, e))) continue;
            conflict(a, region, offset, bytes, e, earlier_write);
            return false;
        }
        if (!earlier_write || a.proxy == Proxy::generic || (e.who == a.who && a.in_flight)) continue;
        // Known, but written by ordinary instructions: the other proxy sees it behind a proxy fence only.
        ask(a, e.who);
        if (e.clock <= a.fenced || !is_generic(a, e.who)) continue;
        ++found_;
        const bool map = a.proxy == Proxy::tensormap;
        a.warp->finding(
            Kind::missing_proxy_fence, *a.inst, a.lane, a.base + offset,
            std::string(map ? "the tensor map's" : "the asynchronous") + " proxy " + (a.write ? "writes " : "reads ") +
                where(region, offset) + ", which " + describe(e.who) + " wrote at " + line_of(e.pc) +
                " by ordinary means: " +
                (map ? "fence.proxy.tensormap::generic.release behind the write and .acquire before this are missing"
                     : "a fence.proxy.async behind the write is missing"));
        return false;
    }
    return true;
}

/// Ordinary threads, and cp.async.
bool Checker::is_generic(const Act& a, uint64_t who) const {
    const Actor writer = unpack(who);
    if (writer.slot < a.cta->threads) return true;
    const auto it = ctas_.find(writer.cta);
    const size_t agent = writer.slot - a.cta->threads;
    return it != ctas_.end() && agent < it->second->agents.size() &&
           (it->second->agents[agent].first == Agent::cp_async || it->second->agents[agent].first == Agent::store);
}

void Checker::check_cell(Act& a, Region& region, RegionShadow& shadow, Cell& cell, uint64_t offset, uint32_t bytes) {
    const auto check = [&](const Epoch& e) {
        return !e.who || check_order(a, region, offset, bytes, {e.who, 1, e.clock, e.pc}, true);
    };
    if (cell.write.who == kMixed) {
        const Writes& writes = shadow.writes[cell.write.clock];
        bool fine = check(writes.weak);
        for (size_t k = 0; fine && k < writes.strong.size(); ++k) {
            fine = check_order(a, region, offset, bytes, writes.strong[k], true);
        }
    } else {
        check(cell.write);
    }
    if (!a.write) {
        note_read(a, shadow, cell);
        return;
    }
    if (is_set(cell.read)) {
        const auto& readers =
            cell.read.who == kMany ? shadow.readers[cell.read.clock] : shadow.shared[cell.read.clock].readers;
        for (const Reader& r : readers) {
            if (!check_order(a, region, offset, bytes, r, false)) break;
        }
    } else if (cell.read.who) {
        check_order(a, region, offset, bytes, cell.read, false);
    }
    note_write(a, shadow, cell);
}

bool Checker::knows_reader(Act& a, const Reader& r) const {
    for (Mask m = r.mask; m; m &= m - 1) {
        if (!knows(a, {r.who + static_cast<uint64_t>(__builtin_ctz(m)), r.clock, r.pc})) return false;
    }
    return true;
}

/// The act as an entry of a set. Threads of a warp that act together share one.
Reader Checker::entry(const Act& a) {
    const Actor actor = unpack(a.who);
    const bool thread = actor.slot < a.cta->threads;
    Reader now;
    now.who = thread ? pack({actor.cta, actor.slot / kLanes * kLanes}) : a.who;
    now.mask = thread ? Mask{1} << (actor.slot % kLanes) : 1;
    now.clock = a.clock;
    now.pc = a.inst->pc | a.flags;
    return now;
}

namespace {

bool same_entry(const Reader& a, const Reader& b) {
    return a.who == b.who && a.clock == b.clock && level(a.pc) == level(b.pc);
}

}  // namespace

/// Adds to a set of accesses that do not order each other.
void Checker::add(Act& a, std::vector<Reader>& set, const Reader& now) const {
    for (size_t k = set.size(); k-- > 0;) {
        if (!same_entry(set[k], now)) continue;
        set[k].mask |= now.mask;
        set[k].pc = now.pc;
        return;
    }
    // What is known to this one, and reaches no less far, needs no entry: who orders something behind this one orders
    // it behind that one.
    if (set.size() >= kMaxReaders || (set.size() & (set.size() - 1)) == 0) {
        std::erase_if(set, [&](const Reader& r) { return level(r.pc) >= level(now.pc) && knows_reader(a, r); });
    }
    if (set.size() >= kMaxReaders) set.erase(set.begin());
    set.push_back(now);
}

void Checker::note_read(Act& a, RegionShadow& shadow, Cell& cell) {
    const Reader now = entry(a);
    if (!is_set(cell.read)) {
        if (cell.read.who && same_entry(cell.read, now)) {
            cell.read.mask |= now.mask;
            cell.read.pc = now.pc;
            return;
        }
        if (!cell.read.who || (level(cell.read.pc) >= level(now.pc) && knows_reader(a, cell.read))) {
            cell.read = now;
            return;
        }
        const uint32_t index = shadow.take_readers();
        shadow.readers[index].push_back(cell.read);
        cell.read = {kMany, 0, index, 0};
    } else if (cell.read.who == kShared) {
        const uint32_t index = shadow.take_readers();
        shadow.readers[index] = shadow.shared[cell.read.clock].readers;
        shadow.drop(cell.read);
        cell.read = {kMany, 0, index, 0};
    }
    add(a, shadow.readers[cell.read.clock], now);
}

/// A weak write ends the word's history: what is not ordered before it was found. A strong one is a race with none of
/// the strong ones before it, and so takes nobody's place who does not know of it.
void Checker::note_write(Act& a, RegionShadow& shadow, Cell& cell) {
    const Epoch now{a.who, a.clock, a.inst->pc | a.flags};
    if (!a.strong) {
        shadow.drop(cell.read);
        shadow.drop(cell.write);
        cell.write = now;
        return;
    }
    if (!is_set(cell.read) && cell.read.who && level(cell.read.pc) >= level(now.pc) && knows_reader(a, cell.read)) {
        cell.read = {};
    }
    if (cell.write.who != kMixed) {
        if (!cell.write.who || (level(cell.write.pc) >= level(now.pc) && knows(a, cell.write))) {
            cell.write = now;
            return;
        }
        const uint32_t index = shadow.take_writes();
        Writes& writes = shadow.writes[index];
        const Epoch& e = cell.write;
        if (level(e.pc) == 0) writes.weak = e;
        else writes.strong.push_back({e.who, 1, e.clock, e.pc});
        cell.write = {kMixed, index, 0};
    }
    add(a, shadow.writes[cell.write.clock].strong, entry(a));
}

void Checker::conflict(Act& a, Region& region, uint64_t offset, uint32_t bytes, const Epoch& earlier,
                       bool earlier_write) {
    ++found_;
    const Actor actor = unpack(earlier.who);
    const bool agent = actor.slot >= a.cta->threads;
    std::string text = std::string(a.in_flight ? "asynchronously, it " : "it ") +
                       (a.write ? (a.reads_values ? "updates " : "writes ") : "reads ") + std::to_string(bytes) +
                       (bytes == 1 ? " byte at " : " bytes at ") + where(region, offset);
    if (agent) {
        text += " while " + describe(earlier.who) + ", issued at " + line_of(earlier.pc) + ", may still " +
                (earlier_write ? "write" : "read") + " there: nothing waited for that; " +
                cure(a, actor, earlier_write);
    } else {
        text += ", which " + describe(earlier.who) + (earlier_write ? " wrote at " : " read at ") + line_of(earlier.pc);
        if (a.strong && (earlier.pc & Epoch::strong)) {
            text += ": both are strong, but the scope of one does not reach the other; use .gpu";
        } else {
            text += ", in no order: " + cure(a, actor, earlier_write);
        }
    }
    a.warp->finding(agent ? Kind::async_before_wait : Kind::race, *a.inst, a.lane, a.base + offset, text);
}

/// What would order an access behind an earlier one.
std::string Checker::cure(const Act& a, const Actor& earlier, bool write) const {
    const bool same_cta = earlier.cta == a.cta->cta;
    if (earlier.slot >= a.cta->threads) {
        const auto it = ctas_.find(earlier.cta);
        const size_t k = earlier.slot - a.cta->threads;
        if (it == ctas_.end() || k >= it->second->agents.size()) return "its block ended without a wait for it";
        const auto& [kind, whose] = it->second->agents[k];
        const bool own = same_cta && (kind == Agent::wgmma ? whose == a.warp->index : whose == a.warp->thread(a.lane));
        const std::string who = own ? "" : " by the one that issued it, and a barrier,";
        switch (kind) {
            case Agent::cp_async: return "cp.async.wait_group" + who + " would";
            case Agent::bulk_read: return "cp.async.bulk.wait_group.read" + who + " would";
            case Agent::bulk_write: return "cp.async.bulk.wait_group" + who + " would";
            case Agent::wgmma: return "wgmma.wait_group" + who + " would";
            case Agent::mbarrier:
            case Agent::store: return "a wait for the phase of its mbarrier would";
        }
    }
    if (same_cta && earlier.slot / kLanes == a.warp->index) return "bar.warp.sync between them would order them";
    if (same_cta) return "a barrier of the block (bar.sync, or an mbarrier) between them would order them";
    const auto it = ctas_.find(earlier.cta);
    if (it != ctas_.end() && it->second->cluster == a.cta->cluster && a.warp->cta->cluster->ctas.size() > 1) {
        return "barrier.cluster, or release and acquire of scope .cluster, would order them";
    }
    return std::string("blocks need release behind the ") + (write ? "write" : "read") +
           " and acquire before this, of scope .gpu";
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
            ++found_;
            a.warp->finding(Kind::uninitialized, *a.inst, a.lane, a.base + at,
                            "it reads " + where(region, at) + ", which nobody has written");
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
