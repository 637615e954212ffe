// Making the CTAs of a cluster, ready for their first instruction.
#include "machine/cta.h"

#include <algorithm>

#include "machine/launch.h"
#include "sanitizer/sanitizer.h"

namespace emu {

namespace {

uint8_t* align64(uint8_t* p) { return reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(p) + 63) / 64 * 64); }

void start_warp(Warp& w, Cta& cta, Worker& worker, const uint8_t* constants, uint8_t* registers, uint8_t* local,
                uint64_t local_lane) {
    Launch& launch = *cta.launch;
    w = Warp{};
    w.base[0] = registers;
    w.base[1] = const_cast<uint8_t*>(constants);
    w.cta = &cta;
    w.launch = &launch;
    w.worker = &worker;
    w.program = launch.program;
    w.sanitizer = launch.sanitizer.get();
    w.local_lane = local_lane;
    w.local.space = Space::local;
    w.local.bytes = local_lane * kLanes;
    w.local.host = local;
    w.local.name = "local memory";
    w.local.cta = &cta;
}

/// `fresh`: the registers' memory is new; else what no instruction changes is there already.
void start_lanes(Warp& w, uint32_t index, bool fresh) {
    const Cta& cta = *w.cta;
    const uint32_t* block = w.launch->options.block;
    w.index = index;
    w.thread0 = index * kLanes;
    const uint32_t lanes = std::min<uint32_t>(kLanes, cta.threads - w.thread0);
    w.threads = w.live = lanes == kLanes ? kAll : (Mask{1} << lanes) - 1;
    w.now.mask = w.live;
    w.now.pc = w.program->functions[0].first;
    static_assert(special_tid_x < special_laneid && special_laneid + 4 * kLanes <= special_sink);
    std::memset(w.base[0], 0, special_tid_x);
    std::memset(w.base[0] + special_sink, 0, w.program->register_bytes - special_sink);
    for (uint32_t l = 0; l < kLanes; ++l) w.out<uint32_t>(special_shared)[l] = cta.rank << kRankShift;
    if (fresh) {
        for (uint32_t l = 0; l < kLanes; ++l) {
            const uint32_t t = w.thread0 + l;
            w.out<uint32_t>(special_tid_x)[l] = t % block[0];
            w.out<uint32_t>(special_tid_y)[l] = t / block[0] % block[1];
            w.out<uint32_t>(special_tid_z)[l] = t / block[0] / block[1];
            w.out<uint32_t>(special_laneid)[l] = l;
        }
    }
    if (w.local.bytes) std::memset(w.local.host, 0, w.local.bytes);
}

}  // namespace

void start_cluster(Cluster& cluster, Launch& launch, Worker& worker, const uint8_t* constants, uint64_t index) {
    const Options& o = launch.options;
    const Program& p = *launch.program;
    const uint32_t clusters[3] = {o.grid[0] / o.cluster[0], o.grid[1] / o.cluster[1], o.grid[2] / o.cluster[2]};
    const uint32_t ctas = o.cluster[0] * o.cluster[1] * o.cluster[2];
    const uint32_t threads = o.block[0] * o.block[1] * o.block[2];
    const uint32_t warps = (threads + kLanes - 1) / kLanes;
    const uint64_t local_lane = p.local_bytes + (p.recursive ? o.stack_bytes / 16 * 16 : 0);
    cluster.index = index;
    Launch::unravel(index, clusters, cluster.id);
    cluster.arrived = 0;
    cluster.generation = 0;
    while (cluster.ctas.size() < ctas) cluster.ctas.push_back(std::make_unique<Cta>());
    for (uint32_t rank = 0; rank < ctas; ++rank) {
        Cta& cta = *cluster.ctas[rank];
        const bool fresh = cta.warps.empty();
        cta.launch = &launch;
        cta.cluster = &cluster;
        cta.rank = rank;
        Launch::unravel(rank, o.cluster, cta.rank_id);
        for (int k = 0; k < 3; ++k) cta.id[k] = cluster.id[k] * o.cluster[k] + cta.rank_id[k];
        cta.index =
            cta.id[0] + static_cast<uint64_t>(o.grid[0]) * (cta.id[1] + static_cast<uint64_t>(o.grid[1]) * cta.id[2]);
        cta.threads = threads;
        cta.exited = 0;
        cta.shared_bytes.assign(p.shared_bytes + o.dynamic_shared + 128, 0);
        // Alignment of shared addresses is that of their offsets: 1 KiB for swizzled matrices is in the address, not
        // here. What the sanitizer keeps beside it is used again; Sanitizer::begin empties it.
        Region fresh_shared;
        fresh_shared.shadow = std::move(cta.shared.shadow);
        fresh_shared.written = std::move(cta.shared.written);
        cta.shared = std::move(fresh_shared);
        cta.shared.space = Space::shared;
        cta.shared.begin = kSharedStart;
        cta.shared.bytes = p.shared_bytes + o.dynamic_shared;
        cta.shared.host = align64(cta.shared_bytes.data());
        cta.shared.initialized = false;
        cta.shared.name = "shared memory";
        cta.shared.cta = &cta;
        cta.reserved = Region{};
        if (p.reserved_shared) {
            cta.reserved_bytes.assign(kSharedStart + 64, 0);
            cta.reserved.space = Space::shared;
            cta.reserved.bytes = kSharedStart;
            cta.reserved.host = align64(cta.reserved_bytes.data());
            cta.reserved.name = "the system's shared memory";
            cta.reserved.cta = &cta;
        }
        std::fill(std::begin(cta.barriers), std::end(cta.barriers), Barrier{});
        cta.mbarriers.clear();
        if (fresh) {
            cta.registers.resize(static_cast<size_t>(warps) * p.register_bytes + 64);
            cta.local.resize(static_cast<size_t>(warps) * local_lane * kLanes + 64);
            for (uint32_t k = 0; k < warps; ++k) cta.warps.push_back(std::make_unique<Warp>());
        }
        for (uint32_t k = 0; k < warps; ++k) {
            start_warp(*cta.warps[k], cta, worker, constants,
                       align64(cta.registers.data()) + static_cast<size_t>(k) * p.register_bytes,
                       align64(cta.local.data()) + k * local_lane * kLanes, local_lane);
            start_lanes(*cta.warps[k], k, fresh);
        }
        if (launch.sanitizer) launch.sanitizer->begin(cta);
    }
}

}  // namespace emu
