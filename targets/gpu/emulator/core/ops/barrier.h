// The barriers of CTAs, clusters and warps: what control flow needs of them, and what their files share.
#pragma once
#include <string>

#include "decode/decode.h"
#include "machine/cta.h"
#include "machine/launch.h"
#include "sanitizer/sanitizer.h"

namespace emu {

/// Threads of `cta` are over (Warp::live and Cta::exited say so already): barriers that wait for all live threads
/// complete where the rest has come.
void barriers_on_exit(Cta& cta);

// Each in the file of its name; barriers_on_exit calls them.
void cluster_barrier_on_exit(Cluster& cluster);
void warp_barriers_on_exit(Cta& cta);

/// An .aligned instruction: true once the live lanes of the warp are here (false: it runs again when they are).
/// Under the sanitizer lanes that the guard keeps out are a finding.
bool aligned(Warp& warp, const Inst& inst, Mask mask);

/// Parks the lanes of `mask` (Warp::park); lanes that the guard keeps out of the instruction go on. It must end its
/// block.
inline void park_lanes(Warp& warp, const Inst& inst, Mask mask, const Wait& wait, bool again) {
    warp.branch(warp.now.mask & ~mask, inst.pc + 1);
    warp.park(wait, again);
}

/// "warps 1, 2, 5 (lanes 0x000000ff), ..." of those whose live lanes are not all in `came(warp)`.
template <class F>
std::string missing_warps(const Cta& cta, F came) {
    std::string text;
    uint32_t shown = 0;
    for (const auto& warp : cta.warps) {
        const Mask missing = warp->live & ~came(*warp);
        if (!missing) continue;
        if (++shown > 8) { text += ", ..."; break; }
        text += (shown > 1 ? ", " : "") + std::to_string(warp->index);
        if (missing != warp->live) {
            char lanes[32];
            std::snprintf(lanes, sizeof lanes, " (lanes 0x%08x)", missing);
            text += lanes;
        }
    }
    return (shown == 1 ? "warp " : "warps ") + text;
}

/// "(1,0,0)"
std::string block_name(const Cta& cta);

// The rows of barrier_forms() that live elsewhere.
void decode_cluster_arrive(Decode&);   // barrier_cluster.cpp
void decode_cluster_wait(Decode&);
void decode_fence(Decode&);            // barrier_fence.cpp
void decode_membar(Decode&);
void decode_fence_restricted(Decode&);
void decode_fence_proxy(Decode&);
void decode_fence_tensormap(Decode&);
void decode_nanosleep(Decode&);
void decode_griddepcontrol(Decode&);
void decode_setmaxnreg(Decode&);

}  // namespace emu
