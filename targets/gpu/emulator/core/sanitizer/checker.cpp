#include "sanitizer/checker.h"

#include <algorithm>

namespace emu {

std::unique_ptr<Sanitizer> make_sanitizer(Launch& launch) { return std::make_unique<Checker>(launch); }

std::unique_lock<std::mutex> Checker::lock() {
    return launch_.options.threads > 1 ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
}

void Checker::begin(Cta& cta) {
    const auto guard = lock();
    auto clock = std::make_unique<CtaClock>();
    clock->cta = cta.index;
    clock->cluster = cta.cluster->index;
    clock->threads = clock->next_slot = cta.threads;
    clock->thread.resize(cta.threads);
    clock->warp.resize(cta.warps.size());
    cta.sanitizer_state = clock.get();
    ctas_[cta.index] = std::move(clock);
    // Memory of a CTA that ended: nobody has done anything there.
    if (auto* shadow = static_cast<RegionShadow*>(cta.shared.shadow.get()); shadow && shadow->launch == number_) {
        shadow->reset();
    }
    if (cta.shared.written) std::fill(cta.shared.written->begin(), cta.shared.written->end(), uint8_t{0});
}

/// Shared memory ends with its block: accesses of others in the cluster must be known to some of its threads by then.
void Checker::check_end(Cta& cta) {
    auto* shadow = static_cast<RegionShadow*>(cta.shared.shadow.get());
    const auto mine = ctas_.find(cta.index);
    if (!shadow || shadow->launch != number_ || mine == ctas_.end()) return;
    Foreign known, last;
    for (const ThreadClock& t : mine->second->thread) {
        if (!t.foreign || t.foreign == last) continue;
        last = t.foreign;
        known = join(known, last);
    }
    const auto check = [&](uint64_t who, Mask mask, uint32_t clock, uint32_t pc, uint64_t word) {
        if (!who || who >= kSplit || unpack(who).cta == cta.index) return;
        const Actor actor = unpack(who);
        const Part* part = nullptr;
        if (known) for (const Part& p : *known) if (p.cta == actor.cta) part = &p;
        for (Mask m = mask; m; m &= m - 1) {
            const uint32_t slot = actor.slot + static_cast<uint32_t>(__builtin_ctz(m));
            if (part && clock_at(part->seen, slot) >= clock) continue;
            for (const auto& other : cta.cluster->ctas) {
                if (other->index != actor.cta || other->warps.empty()) continue;
                const bool thread = slot < other->threads;
                Warp& w = *other->warps[thread ? slot / kLanes : 0];
                uint32_t block[3];
                Launch::unravel(cta.index, launch_.options.grid, block);
                const uint64_t offset = word * 4;
                w.finding(Kind::race, launch_.program->code[pc & Epoch::pc_mask],
                          thread ? static_cast<int>(slot % kLanes) : 0,
                          (cta.shared.begin + offset) | uint64_t{cta.rank} << kRankShift,
                          where(cta.shared, offset) + " of block (" + std::to_string(block[0]) + ", " +
                              std::to_string(block[1]) + ", " + std::to_string(block[2]) +
                              "): that block may end before this access, and its shared memory with it; a "
                              "barrier.cluster before the end would keep it");
            }
            return;
        }
    };
    const auto check_all = [&](const std::vector<Reader>& set, uint64_t word) {
        for (const Reader& r : set) check(r.who, r.mask, r.clock, r.pc, word);
    };
    for (uint64_t word = 0; word < shadow->words; ++word) {
        const Cell& c = shadow->cell(word);
        if (c.write.who == kMixed) check_all(shadow->writes[c.write.clock].strong, word);
        else check(c.write.who, 1, c.write.clock, c.write.pc, word);
        if (c.read.who == kMany) check_all(shadow->readers[c.read.clock], word);
        else if (c.read.who == kShared) check_all(shadow->shared[c.read.clock].readers, word);
        else check(c.read.who, c.read.mask, c.read.clock, c.read.pc, word);
    }
}

void Checker::end(Cta& cta) {
    const auto guard = lock();
    if (cta.cluster->ctas.size() > 1 && !launch_.stop.load(std::memory_order_relaxed)) check_end(cta);
    ctas_.erase(cta.index);
    cta.sanitizer_state = nullptr;
    // Its barriers' memory will be another CTA's.
    std::erase_if(syncs_, [&](const auto& item) {
        const auto* p = static_cast<const uint8_t*>(item.first.object);
        const auto* barriers = reinterpret_cast<const uint8_t*>(&cta.barriers[0]);
        if (p >= barriers && p < barriers + sizeof cta.barriers) return true;
        if (p == cta.shared.host || p == reinterpret_cast<const uint8_t*>(cta.cluster) ||
            p == reinterpret_cast<const uint8_t*>(&cta)) {
            return true;
        }
        for (const auto& w : cta.warps) if (p == reinterpret_cast<const uint8_t*>(w.get())) return true;
        return false;
    });
}

RegionShadow& Checker::shadow_of(Region& region) {
    auto* shadow = static_cast<RegionShadow*>(region.shadow.get());
    if (!shadow || shadow->launch != number_) {
        region.shadow = std::make_shared<RegionShadow>(number_, region.bytes);
        run_ = {};
        shadow = static_cast<RegionShadow*>(region.shadow.get());
    }
    return *shadow;
}

Checker::Act Checker::act(Warp& w, const Inst& inst, int lane, const Access& access) {
    Act a{};
    a.warp = &w;
    a.inst = &inst;
    a.lane = lane;
    a.cta = &clock_of(w);
    become(a, lane);
    a.write = access.write;
    a.strong = access.order != Order::weak || access.atomic;
    a.flags = !a.strong ? 0
                        : Epoch::strong | (access.scope == Scope::cta       ? Epoch::narrow
                                           : access.scope == Scope::cluster ? Epoch::narrow | Epoch::cluster
                                                                            : 0u);
    a.reads_values = access.read;
    a.proxy = access.proxy;
    a.in_flight = false;
    return a;
}

/// The same act by another lane.
void Checker::become(Act& a, int lane) {
    const uint32_t thread = a.warp->thread(lane);
    a.lane = lane;
    a.thread = &a.cta->thread[thread];
    a.who = pack({a.cta->cta, thread});
    a.clock = a.thread->clock;
    a.asked = 0;
}

void Checker::ask(Act& a, uint64_t who) const {
    if (a.asked == who) return;
    a.asked = who;
    const Actor actor = unpack(who);
    const ThreadClock& t = *a.thread;
    if (actor.cta != a.cta->cta) {
        a.known = a.fenced = 0;
        if (!t.foreign) return;
        const auto at = std::lower_bound(t.foreign->begin(), t.foreign->end(), actor.cta,
                                         [](const Part& p, uint64_t c) { return p.cta < c; });
        if (at == t.foreign->end() || at->cta != actor.cta) return;
        a.known = clock_at(at->seen, actor.slot);
        a.fenced = clock_at(at->fenced, actor.slot);
        return;
    }
    a.known = clock_at(t.seen, actor.slot);
    a.fenced = clock_at(t.fenced, actor.slot);
    auto own = [&](uint32_t known, uint32_t fenced) {
        a.known = std::max(a.known, known);
        a.fenced = std::max(a.fenced, fenced);
    };
    if (actor.slot == a.warp->thread(a.lane)) own(~0u, t.fenced_clock);
    else if (actor.slot < a.cta->threads) return;
    else if (t.cp_async.slot == actor.slot) own(t.cp_async.done, t.cp_async.fenced);
    else if (t.bulk_read.slot == actor.slot) own(t.bulk_read.done, t.bulk_read.fenced);
    else if (t.bulk_write.slot == actor.slot) own(t.bulk_write.done, t.bulk_write.fenced);
    else {
        const auto& g = a.cta->warp[a.warp->index].wgmma;
        if (g.slot == actor.slot) own(g.done, g.done);
    }
}

std::string Checker::line_of(uint32_t pc) const {
    pc &= Epoch::pc_mask;
    const Program& p = *launch_.program;
    if (pc >= p.origins.size()) return "an unknown line";
    const Origin& o = p.origins[pc];
    std::string text = "PTX line " + std::to_string(o.line) + " (" + p.opcodes[o.opcode];
    if (o.file_line && o.file < p.files.size() && !p.files[o.file].empty()) {
        const std::string& file = p.files[o.file];
        text += ", " + file.substr(file.find_last_of('/') + 1) + ":" + std::to_string(o.file_line);
    }
    return text + ")";
}

std::string Checker::describe(uint64_t who) const {
    const Actor actor = unpack(who);
    uint32_t block[3], thread[3];
    Launch::unravel(actor.cta, launch_.options.grid, block);
    auto triple = [](const uint32_t* v) {
        return "(" + std::to_string(v[0]) + ", " + std::to_string(v[1]) + ", " + std::to_string(v[2]) + ")";
    };
    const uint32_t threads = launch_.options.block[0] * launch_.options.block[1] * launch_.options.block[2];
    if (actor.slot < threads) {
        Launch::unravel(actor.slot, launch_.options.block, thread);
        return "thread " + triple(thread) + " of block " + triple(block);
    }
    const auto it = ctas_.find(actor.cta);
    std::string text = "an asynchronous copy";
    if (it != ctas_.end() && actor.slot - threads < it->second->agents.size()) {
        const auto& [kind, whose] = it->second->agents[actor.slot - threads];
        if (kind == Agent::wgmma) {
            text = "a wgmma of warps " + std::to_string(whose) + " to " + std::to_string(whose + 3);
        } else if (kind == Agent::mbarrier || kind == Agent::store) {
            char address[16];
            std::snprintf(address, sizeof address, "0x%x", whose);
            text = std::string(kind == Agent::store ? "an asynchronous store" : "an asynchronous copy") +
                   " that completes on mbarrier " + address + ", issued by a thread";
        } else {
            Launch::unravel(whose, launch_.options.block, thread);
            text = (kind == Agent::cp_async ? "a cp.async of thread " : "a bulk copy of thread ") + triple(thread);
        }
    }
    return text + " of block " + triple(block);
}

std::string Checker::where(const Region& region, uint64_t offset) const {
    char text[160];
    if (region.space == Space::shared) {
        std::snprintf(text, sizeof text, "shared address 0x%llx",
                      static_cast<unsigned long long>(region.begin + offset));
        return text;
    }
    return "byte " + std::to_string(offset) + " of " + region.name;
}

}  // namespace emu
