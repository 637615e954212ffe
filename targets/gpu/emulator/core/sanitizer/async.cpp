// Work that goes on behind the instruction that issued it: copies, and matrix instructions.
#include <algorithm>

#include "sanitizer/checker.h"

namespace emu {

ThreadClock::Groups& Checker::groups_of(Warp& w, int lane, Queue queue, bool write) {
    CtaClock& cta = clock_of(w);
    const uint32_t thread = w.thread(lane);
    if (queue == Queue::wgmma) {
        auto& g = cta.warp[w.index].wgmma;
        // A wgmma is one act of four warps: they share its agent, and who has waited for a group knows that it is over
        // for all of them. (Producers are told by one thread of a warpgroup, as CUTLASS does it.)
        auto& first = cta.warp[w.index & ~3u].wgmma;
        if (!first.slot) first.slot = cta.add_agent(Agent::wgmma, w.index & ~3u);
        g.slot = first.slot;
        return g;
    }
    ThreadClock& t = cta.thread[thread];
    auto& g = queue == Queue::cp_async ? t.cp_async : write ? t.bulk_write : t.bulk_read;
    if (!g.slot) {
        g.slot = cta.add_agent(queue == Queue::cp_async ? Agent::cp_async
                               : write                  ? Agent::bulk_write
                                                        : Agent::bulk_read,
                               thread);
    }
    return g;
}

void Checker::async_access(Warp& w, const Inst& inst, int lane, Region& region, uint64_t offset, uint64_t bytes,
                           bool write, Queue queue, SyncKey key, bool atomic, bool generic) {
    if (region.space == Space::local || region.space == Space::param) return;
    const auto guard = lock();
    Act a = act(w, inst, lane, write ? Access::store() : Access::load());
    a.proxy = generic || queue == Queue::cp_async ? Proxy::generic : Proxy::async;
    a.in_flight = true;
    a.strong = atomic;
    a.flags = atomic ? Epoch::strong : 0u;
    a.base = base_of(w, region);
    if (ended(a, region, offset)) return;
    a.reads_values = !write || atomic;
    CtaClock& cta = clock_of(w);
    if (queue == Queue::mbarrier) {
        const auto [it, fresh] =
            (generic ? cta.store_slots : cta.mbarrier_slots).try_emplace({key.object, key.part}, 0);
        if (fresh) {
            it->second =
                cta.add_agent(generic ? Agent::store : Agent::mbarrier, static_cast<uint32_t>(key.part + kSharedStart));
        }
        Sync& sync = syncs_[key];
        const uint32_t clock = static_cast<uint32_t>(sync.phase) + 1;
        a.who = pack({cta.cta, it->second});
        a.clock = clock;
        Sync::Gather& gather = sync.of(cta.cta);
        if (gather.seen.size() <= it->second) gather.seen.resize(it->second + 1, 0);
        gather.seen[it->second] = std::max(gather.seen[it->second], clock);
    } else {
        auto& g = groups_of(w, lane, queue, write);
        g.open = true;
        a.who = pack({cta.cta, g.slot});
        a.clock = g.committed + 1;
    }
    check_run(a, region, shadow_of(region), offset, bytes);
}

void Checker::async_commit(Warp& w, Mask mask, Queue queue) {
    const auto guard = lock();
    if (queue == Queue::wgmma) {
        ++groups_of(w, 0, queue, true).committed;
        return;
    }
    for (Mask m = mask; m; m &= m - 1) {
        const int lane = __builtin_ctz(m);
        auto& write = groups_of(w, lane, queue, true);
        ++write.committed;
        write.open = false;
        if (queue != Queue::cp_async) {
            auto& read = groups_of(w, lane, queue, false);
            ++read.committed;
            read.open = false;
        }
    }
}

void Checker::async_wait(Warp& w, Mask mask, Queue queue, uint32_t pending, bool reads_only, bool all) {
    const auto guard = lock();
    auto finish = [&](ThreadClock::Groups& g) {
        if (all && g.open) {
            // What was not committed is waited for as well: it counts as a group.
            ++g.committed;
            g.open = false;
        }
        const uint32_t done = all ? g.committed : g.committed - std::min(pending, g.committed);
        g.done = std::max(g.done, done);
    };
    if (queue == Queue::wgmma) {
        auto& warp = clock_of(w).warp[w.index];
        finish(groups_of(w, 0, queue, true));
        std::erase_if(warp.registers, [&](const WarpClock::InFlight& r) { return r.group <= warp.wgmma.done; });
        std::fill(warp.marks.begin(), warp.marks.end(), uint8_t{0});
        for (const auto& r : warp.registers) warp.marks[r.slot / 64] |= r.write ? 1 : 2;
        w.registers_in_flight = !warp.registers.empty();
        return;
    }
    for (Mask m = mask; m; m &= m - 1) {
        const int lane = __builtin_ctz(m);
        if (queue == Queue::cp_async) {
            finish(groups_of(w, lane, queue, true));
        } else {
            finish(groups_of(w, lane, queue, false));
            if (!reads_only) finish(groups_of(w, lane, queue, true));
        }
    }
}

void Checker::async_arrive(Warp& w, Mask mask, SyncKey key) {
    const auto guard = lock();
    CtaClock& cta = clock_of(w);
    Sync::Gather& gather = syncs_[key].of(cta.cta);
    for (Mask m = mask; m; m &= m - 1) {
        auto& g = groups_of(w, __builtin_ctz(m), Queue::cp_async, true);
        // What follows belongs to another group, so that the phase does not answer for it.
        ++g.committed;
        g.open = false;
        if (gather.seen.size() <= g.slot) gather.seen.resize(g.slot + 1, 0);
        gather.seen[g.slot] = std::max(gather.seen[g.slot], g.committed);
    }
}

// ---- registers of wgmma ------------------------------------------------------------------------------------------------

void Checker::registers_in_flight(Warp& w, const Inst& inst, const Slot* slots, uint32_t count, bool write) {
    const auto guard = lock();
    CtaClock& cta = clock_of(w);
    auto& warp = cta.warp[w.index];
    const uint32_t group = groups_of(w, 0, Queue::wgmma, true).committed + 1;
    if (warp.marks.empty()) warp.marks.resize(w.program->register_bytes / 64 + 8, 0);
    // Accumulators may be those of one before, all of them; else they, and the registers of A, are to be left alone.
    uint32_t written = 0, read = 0;
    for (uint32_t k = 0; k < count; ++k) {
        if (slots[k] & kConstant || slots[k] / 64 >= warp.marks.size()) continue;
        written += warp.marks[slots[k] / 64] & 1;
        read += warp.marks[slots[k] / 64] >> 1 & 1;
    }
    if (write ? read || (written && written != count) : written != 0) {
        w.finding(Kind::async_before_wait, inst, -1, 0,
                  std::string(write ? "its accumulators are in part" : "it takes A from") +
                      " registers that a wgmma before it still " + (written ? "writes" : "reads") +
                      ": wgmma.wait_group between them would wait for that");
    }
    for (uint32_t k = 0; k < count; ++k) {
        if (slots[k] & kConstant || slots[k] / 64 >= warp.marks.size()) continue;
        warp.registers.push_back({slots[k], group, write});
        warp.marks[slots[k] / 64] |= write ? 1 : 2;
    }
    w.registers_in_flight = !warp.registers.empty();
}

void Checker::wgmma_fence(Warp&, Mask) {}

void Checker::check_registers(Warp& w, const Inst& inst) {
    const Program& p = *w.program;
    const Origin& origin = p.origins[inst.pc];
    const std::string& opcode = p.opcodes[origin.opcode];
    if (opcode.rfind("wgmma", 0) == 0) return;
    const auto& warp = clock_of(w).warp[w.index];
    for (uint32_t k = p.operand_first[inst.pc]; k < p.operand_first[inst.pc + 1]; ++k) {
        const bool write = p.operands[k] & Program::kWritten;
        const Slot slot = p.operands[k] & ~Program::kWritten;
        if (slot & kConstant || slot / 64 >= warp.marks.size()) continue;
        const uint8_t mark = warp.marks[slot / 64];
        if ((mark & 1) || (write && (mark & 2))) {
            w.finding(Kind::async_before_wait, inst, -1, 0,
                      std::string(write ? "it writes" : "it reads") + " a register that a wgmma still " +
                          ((mark & 1) ? "writes" : "reads") + ": wgmma.wait_group between them would wait for that");
            return;
        }
    }
}

}  // namespace emu
