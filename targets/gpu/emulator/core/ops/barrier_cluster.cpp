// barrier.cluster: all live threads of a cluster arrive, and wait later.
//
// Warp::cluster_came are the lanes that arrived in the running phase; completing it clears them, which is what those
// that wait poll for. Warp::cluster_owes are the lanes between their arrive and their wait.
#include <bit>

#include "ops/barrier.h"

namespace emu {

namespace {

enum : uint16_t { is_aligned = 1, is_relaxed = 2 };

uint32_t popc(Mask m) { return static_cast<uint32_t>(std::popcount(m)); }

SyncKey key_of(const Cluster& cluster) { return {&cluster, 0}; }

bool ready(const Warp& w, const Wait& wait) { return (w.cluster_came & static_cast<Mask>(wait.x)) == 0; }

std::string describe(const Warp& w, const Wait&) {
    const Cluster& cluster = *w.cta->cluster;
    std::string text = "the barrier of cluster (" + std::to_string(cluster.id[0]) + "," +
                       std::to_string(cluster.id[1]) + "," + std::to_string(cluster.id[2]) +
                       "): " + std::to_string(cluster.arrived) + " of " + std::to_string(cluster.live_threads()) +
                       " threads arrived; missing";
    const char* comma = " ";
    for (const auto& cta : cluster.ctas) {
        bool missing = false;
        for (const auto& o : cta->warps) missing |= (o->live & ~o->cluster_came) != 0;
        if (!missing) continue;
        text += comma + missing_warps(*cta, [](const Warp& o) { return o.cluster_came; }) + " of block " +
                block_name(*cta);
        comma = "; ";
    }
    return text;
}

void complete_if_all(Cluster& cluster, Launch& launch, Worker* worker) {
    if (cluster.arrived < cluster.live_threads()) return;
    for (auto& cta : cluster.ctas) {
        for (auto& w : cta->warps) w->cluster_came = 0;
    }
    cluster.arrived = 0;
    ++cluster.generation;
    if (launch.sanitizer) launch.sanitizer->complete(key_of(cluster));
    if (worker) ++worker->counters.barriers;
}

void arrive(Warp& w, const Inst& i, Mask mask) {
    if ((i.n & is_aligned) && !aligned(w, i, mask)) return;
    if (mask & w.cluster_owes) {
        if (w.sanitizer) {
            w.finding(Kind::barrier_divergence, i, std::countr_zero(mask & w.cluster_owes), 0,
                      "a thread arrives again at the cluster's barrier before it waited");
        }
        mask &= ~w.cluster_came;
    }
    if (!mask) return;
    Cluster& cluster = *w.cta->cluster;
    w.cluster_came |= mask;
    w.cluster_owes |= mask;
    cluster.arrived += popc(mask);
    if (w.sanitizer) w.sanitizer->arrive(w, mask, key_of(cluster), (i.n & is_relaxed) != 0);
    complete_if_all(cluster, *w.launch, w.worker);
}

void wait(Warp& w, const Inst& i, Mask mask) {
    if ((i.n & is_aligned) && !aligned(w, i, mask)) return;
    if (const Mask lost = mask & ~w.cluster_owes; lost && w.sanitizer) {
        w.finding(Kind::barrier_divergence, i, std::countr_zero(lost), 0,
                  "a thread waits for the cluster's barrier without having arrived");
    }
    if (mask & w.cluster_came) {
        Wait wait;
        wait.what = Wait::poll;
        wait.ready = ready;
        wait.describe = describe;
        wait.x = mask;
        park_lanes(w, i, mask, wait, true);
        return;
    }
    w.cluster_owes &= ~mask;
    if (w.sanitizer) w.sanitizer->wait(w, mask, key_of(*w.cta->cluster));
}

}  // namespace

void decode_cluster_arrive(Decode& d) {
    d.expect(0, 0);
    if (d.has("aligned")) d.inst.n |= is_aligned;
    if (d.has("relaxed")) d.inst.n |= is_relaxed;
    d.inst.run = arrive;
    d.ends_block();
}

void decode_cluster_wait(Decode& d) {
    d.expect(0, 0);
    if (d.has("aligned")) d.inst.n |= is_aligned;
    d.inst.run = wait;
    d.ends_block();
}

void cluster_barrier_on_exit(Cluster& cluster) {
    if (cluster.arrived == 0) return;
    cluster.arrived = 0;
    Worker* worker = nullptr;
    for (auto& cta : cluster.ctas) {
        for (auto& w : cta->warps) {
            w->cluster_came &= w->live;
            cluster.arrived += popc(w->cluster_came);
            worker = w->worker;
        }
    }
    if (cluster.arrived) complete_if_all(cluster, *cluster.ctas[0]->launch, worker);
}

}  // namespace emu
