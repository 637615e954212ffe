// bar.warp.sync: lanes of a warp meet, wherever in the program each of them executes it.
//
// Lanes that arrive before the others wait in splits of their own, which name their members. The last to arrive
// releases them by Wait::x, and so do lanes that end.
#include "machine/cta.h"
#include "machine/launch.h"
#include "ops/barrier.h"
#include "ops/warp_level.h"

namespace emu {

namespace {

/// Groups with different members do not meet: each has its own key.
SyncKey key_of(const Warp& w, Mask members) { return {&w, (static_cast<uint64_t>(members) << 1) | 1}; }

bool ready(const Warp&, const Wait& wait) { return wait.x != 0; }

bool waits_for(const Split& s, Mask members) {
    return s.wait.what == Wait::poll && s.wait.ready == ready && s.wait.members == members && s.wait.x == 0;
}

Mask arrived(const Warp& w, Mask members) {
    Mask lanes = 0;
    for (const Split& s : w.others) {
        if (waits_for(s, members)) lanes |= s.mask;
    }
    return lanes;
}

std::string describe(const Warp& w, const Wait& wait) {
    const Mask here = arrived(w, wait.members) | (waits_for(w.now, wait.members) ? w.now.mask : 0);
    std::string missing;
    for (Mask m = wait.members & w.live & ~here; m; m &= m - 1) {
        missing += (missing.empty() ? "" : ", ") + std::to_string(std::countr_zero(m));
    }
    return "bar.warp.sync of warp " + std::to_string(w.index) + " of block " + block_name(*w.cta) + ": lanes " +
           missing + " are missing";
}

void release(Warp& w, Mask members, Mask last) {
    Mask all = last;
    for (Split& s : w.others) {
        if (!waits_for(s, members)) continue;
        s.wait.x = 1;
        all |= s.mask;
    }
    if (w.sanitizer) {
        w.sanitizer->complete(key_of(w, members));
        w.sanitizer->wait(w, all, key_of(w, members));
    }
}

void run_warp_sync(Warp& w, const Inst& i, Mask mask) {
    Mask members = kAll;
    if (!(i.n & everyone)) {
        if (!uniform_members(w, i, mask, members)) {
            const uint32_t* named = w.get<uint32_t>(i.e);
            Mask same = 0;
            for (Mask m = mask; m; m &= m - 1) {
                const int l = std::countr_zero(m);
                if (named[l] == members) same |= Mask{1} << l;
            }
            w.branch(mask & ~same, i.pc);  // the rest executes it apart
            mask = same;
        }
    }
    if (w.sanitizer) {
        if (const Mask strangers = mask & ~members; strangers) {
            const int l = std::countr_zero(strangers);
            w.finding(Kind::barrier_divergence, i, l, 0,
                      "lane " + std::to_string(l) + " executes it with a member mask that leaves it out");
        }
        w.sanitizer->arrive(w, mask, key_of(w, members));
    }
    const Mask missing = members & w.live & ~mask;
    if (!missing || !(missing & ~arrived(w, members))) {
        release(w, members, mask);
        if (missing) w.event = true;
        return;
    }
    Wait wait;
    wait.what = Wait::poll;
    wait.ready = ready;
    wait.describe = describe;
    wait.members = members;
    park_lanes(w, i, mask, wait, false);
}

}  // namespace

void decode_warp_sync(Decode& d) {
    d.expect(1, 1);
    decode_members(d, 0);
    d.inst.run = run_warp_sync;
    d.ends_block();
}

void warp_barriers_on_exit(Cta& cta) {
    for (auto& w : cta.warps) {
        if (w->others.empty() && w->now.wait.what != Wait::poll) continue;
        for (size_t k = 0; k < w->others.size(); ++k) {
            const Split& s = w->others[k];
            if (s.wait.what != Wait::poll || s.wait.ready != ready || s.wait.x != 0) continue;
            const Mask members = s.wait.members;
            if (!(members & w->live & ~arrived(*w, members))) release(*w, members, 0);
        }
    }
}

}  // namespace emu
