// A warp's splits: where lanes part, wait, and meet again.
#include "machine/warp.h"

#include <algorithm>

#include "machine/cta.h"
#include "machine/launch.h"
#include "ops/barrier.h"
#include "sanitizer/sanitizer.h"

namespace emu {

namespace {

// Lanes that can run wait for those before them in the order of blocks; this many block ends at most, because a lane
// may spin until one of the waiting has done something.
constexpr uint32_t kStreak = 1u << 14;
constexpr uint32_t kPinned = 1u << 10;

}  // namespace

uint32_t Warp::order_at(uint32_t from, uint32_t to) const {
    const BlockOrder& target = program->blocks[program->block_of[to]];
    const BlockOrder& here = program->blocks[program->block_of[from]];
    return target.order <= here.order ? target.loop_end : target.order;
}

void Warp::branch(Mask taken, uint32_t target) {
    taken &= now.mask;
    if (!taken) return;
    const uint32_t from = now.pc - 1;
    if (taken == now.mask) {
        now.pc = target;
        if (watch) now.order = order_at(from, target);
        return;
    }
    Split split;
    split.pc = target;
    split.mask = taken;
    split.order = order_at(from, target);
    split.calls = now.calls;
    now.mask &= ~taken;
    now.order = order_at(from, now.pc);
    others.push_back(std::move(split));
    watch = Inst::block_end;
    event = true;
}

void Warp::exit(Mask mask) {
    mask &= live;
    live &= ~mask;
    now.mask &= ~mask;
    cta->exited += static_cast<uint32_t>(__builtin_popcount(mask));
    event = true;
    barriers_on_exit(*cta);
}

void Warp::call(Mask mask, uint32_t target) {
    if (now.calls.size() >= (1u << 16)) {
        fault(Kind::out_of_bounds, program->code[now.pc - 1], -1, 0, "calls are nested more than 65,536 deep");
        exit(mask);
        return;
    }
    if (mask == now.mask) {
        now.calls.push_back(now.pc);
        now.pc = target;
        now.order = program->blocks[program->block_of[target]].order;
        return;
    }
    Split split;
    split.pc = target;
    split.mask = mask;
    split.order = program->blocks[program->block_of[target]].order;
    split.calls = now.calls;
    split.calls.push_back(now.pc);
    now.mask &= ~mask;
    now.order = program->blocks[program->block_of[now.pc]].order;
    others.push_back(std::move(split));
    watch = Inst::block_end;
    event = true;
}

void Warp::ret(Mask mask) {
    if (now.calls.empty()) {
        exit(mask);
        return;
    }
    if (mask == now.mask) {
        now.pc = now.calls.back();
        now.calls.pop_back();
        now.order = program->blocks[program->block_of[now.pc]].order;
        return;
    }
    Split split;
    split.pc = now.calls.back();
    split.mask = mask;
    split.order = program->blocks[program->block_of[split.pc]].order;
    split.calls.assign(now.calls.begin(), now.calls.end() - 1);
    now.mask &= ~mask;
    now.order = program->blocks[program->block_of[now.pc]].order;
    others.push_back(std::move(split));
    watch = Inst::block_end;
    event = true;
}

bool Warp::converge(const Inst& inst, Mask members) {
    members &= live;
    if ((members & ~now.mask) == 0) return true;
    if (now.forced) {
        if (sanitizer) {
            std::string lanes;
            for (Mask m = members & ~now.mask; m; m &= m - 1) {
                lanes += (lanes.empty() ? "" : ", ") + std::to_string(__builtin_ctz(m));
            }
            finding(Kind::barrier_divergence, inst, -1, 0,
                    "lanes " + lanes + " of the warp should execute this together with the others, and are elsewhere");
        }
        return true;
    }
    now.pc = inst.pc;
    now.wait = {};
    now.wait.what = Wait::converge;
    now.wait.members = members;
    event = true;
    return false;
}

void Warp::park(const Wait& wait, bool again) {
    now.wait = wait;
    if (again) {
        now.pc -= 1;
        now.retried = true;
    }
    event = true;
}

void Warp::yield() {
    spinning = true;
    if (now.wait.what == Wait::nothing) now.wait.what = Wait::yield;
    event = true;
}

bool Warp::ready(Split& s) {
    switch (s.wait.what) {
        case Wait::nothing: return true;
        case Wait::yield: return false;  // until the next round, which clears it
        case Wait::converge:
            return s.forced || (s.wait.members & live & ~s.mask) == 0;
        case Wait::poll:
            return s.gave_up || s.wait.ready(*this, s.wait);
    }
    return true;
}

/// The split that was put back last joins another at the same place, if there is one.
void Warp::merge() {
    Split& b = others.back();
    if (b.wait.what == Wait::poll) return;
    for (size_t x = 0; x + 1 < others.size(); ++x) {
        Split& a = others[x];
        if (a.pc != b.pc || a.wait.what == Wait::poll || a.retried != b.retried || a.forced != b.forced ||
            a.calls != b.calls) {
            continue;
        }
        a.mask |= b.mask;
        a.order = std::min(a.order, b.order);
        a.turn = std::max(a.turn, b.turn);
        if (a.wait.what == Wait::nothing || b.wait.what == Wait::converge) {
            const Mask members = a.wait.members | b.wait.members;
            a.wait = b.wait;
            a.wait.members = members;
        }
        others.pop_back();
        return;
    }
}

/// Callees before their callers, then by the order of blocks.
bool Warp::before(const Split& x, const Split& y) const {
    const size_t depth = std::min(x.calls.size(), y.calls.size());
    for (size_t d = 0; d <= depth; ++d) {
        const bool x_inside = d < x.calls.size(), y_inside = d < y.calls.size();
        const uint32_t x_order = x_inside ? program->blocks[program->block_of[x.calls[d] - 1]].order : x.order;
        const uint32_t y_order = y_inside ? program->blocks[program->block_of[y.calls[d] - 1]].order : y.order;
        if (x_order != y_order) return x_order < y_order;
        if (x_inside != y_inside) return x_inside;
        if (!x_inside) return false;
    }
    return false;
}

/// Chooses the split that runs next. False if none can.
bool Warp::select() {
    event = false;
    if (now.mask) {
        if (others.empty() && now.wait.what == Wait::nothing) return true;
        others.push_back(std::move(now));
        merge();
    }
    now = Split{};
    size_t best = others.size();
    size_t runnable = 0;
    for (size_t k = 0; k < others.size(); ++k) {
        if (!ready(others[k])) continue;
        ++runnable;
        if (best == others.size() || before(others[k], others[best])) best = k;
    }
    if (!runnable) {
        watch = others.size() > 1 ? Inst::block_end : 0;
        return false;
    }
    if (runnable > 1) {
        size_t last = 0, oldest = best;
        for (size_t k = 0; k < others.size(); ++k) {
            if (others[k].turn > others[last].turn) last = k;
        }
        const bool last_runs = ready(others[last]);
        if (pinned && last_runs) {
            --pinned;
            best = last;
        } else if (best == last && ++streak >= kStreak) {
            for (size_t k = 0; k < others.size(); ++k) {
                if (ready(others[k]) && others[k].turn < others[oldest].turn) oldest = k;
            }
            best = oldest;
            streak = 0;
            pinned = kPinned;
        } else if (best != last) {
            streak = 0;
        }
    }
    now = std::move(others[best]);
    std::swap(others[best], others.back());
    others.pop_back();
    now.turn = ++turns;
    now.wait = {};
    watch = others.empty() ? 0 : Inst::block_end;
    event = now.retried || now.gave_up || now.forced;  // to take these back behind the instruction
    return true;
}

bool Warp::run(uint64_t limit) {
    // Those who gave up their turn have waited a round.
    for (Split& s : others) if (s.wait.what == Wait::yield) s.wait = {};
    if (now.wait.what == Wait::yield) now.wait = {};
    spinning = false;
    if (!live || !select()) return false;
    const Inst* code = program->code.data();
    Count* counts = worker->counters.executed.data();
    const uint64_t end = worker->steps + limit;
    for (;;) {
        const Inst& i = code[now.pc];
        Mask mask = now.mask;
        if (i.guard != kNone) {
            const Mask p = predicate(i.guard);
            mask &= (i.flags & Inst::guard_negated) ? ~p : p;
        }
        Count& count = counts[now.pc];
        ++count.warps;
        count.lanes += static_cast<uint32_t>(__builtin_popcount(mask));
        ++worker->steps;
        ++now.pc;
        if (mask) {
            if (registers_in_flight && sanitizer) sanitizer->check_registers(*this, i);
            i.run(*this, i, mask);
        }
        if (event || (i.flags & Inst::block_end)) {
            if (!event) {
                if (worker->steps >= end || launch->stop.load(std::memory_order_relaxed)) return true;
                if (!watch) continue;
                if (now.pc == i.pc + 1) now.order = order_at(i.pc, now.pc);
            } else {
                now.gave_up = now.forced = false;
                if (now.pc == i.pc && now.wait.what != Wait::nothing) {
                    // It will run again, and be counted then.
                    --count.warps;
                    count.lanes -= static_cast<uint32_t>(__builtin_popcount(mask));
                } else {
                    now.retried = false;
                    if (watch && now.mask && now.pc == i.pc + 1 && (i.flags & Inst::block_end)) {
                        now.order = order_at(i.pc, now.pc);
                    }
                }
            }
            if (!live || !select() || worker->steps >= end || launch->stop.load(std::memory_order_relaxed)) return true;
        }
    }
}

bool Warp::force() {
    if (now.mask && now.wait.what != Wait::nothing) {
        others.push_back(std::move(now));
        now = Split{};
    }
    for (Split& s : others) {
        if (s.wait.what == Wait::converge && !s.forced) {
            s.forced = true;
            return true;
        }
    }
    return false;
}

bool Warp::lose_patience() {
    bool any = false;
    auto lose = [&](Split& s) {
        if (s.mask && s.wait.what == Wait::poll && s.wait.patience && --s.wait.patience == 0) {
            s.gave_up = true;
            any = true;
        }
    };
    lose(now);
    for (Split& s : others) lose(s);
    return any;
}

void Warp::finding(Kind kind, const Inst& inst, int lane, uint64_t address, const std::string& message) {
    Finding f;
    f.kind = kind;
    f.pc = inst.pc;
    std::copy_n(cta->id, 3, f.block);
    if (lane < 0) lane = now.mask ? __builtin_ctz(now.mask) : 0;
    Launch::unravel(thread(lane), launch->options.block, f.thread);
    f.address = address;
    f.message = message;
    launch->report(std::move(f));
}

void Warp::fault(Kind kind, const Inst& inst, int lane, uint64_t address, const std::string& message) {
    finding(kind, inst, lane, address, message);
    if (!sanitizer) {
        launch->stop.store(true, std::memory_order_relaxed);
        event = true;
    }
}

}  // namespace emu
