// Clusters: distributed shared memory through cooperative groups and by mapa, remote atomics and mbarriers, multicast.

#include "hopper.cuh"

#include <cooperative_groups.h>

namespace cg = cooperative_groups;

// A histogram whose bins are spread over the CTAs of a cluster of any size.
extern "C" __global__ void cluster_histogram(const int* in, int* out, int n, int bins_each) {
    extern __shared__ int bins[];
    auto cluster = cg::this_cluster();
    for (int i = threadIdx.x; i < bins_each; i += blockDim.x) bins[i] = 0;
    cluster.sync();
    const int bins_all = bins_each * cluster.num_blocks();
    for (int i = cluster.thread_rank(); i < n; i += cluster.num_threads()) {
        const int bin = min(max(in[i + n * (blockIdx.x / cluster.num_blocks())], 0), bins_all - 1);
        atomicAdd(cluster.map_shared_rank(bins, bin / bins_each) + bin % bins_each, 1);
    }
    cluster.sync();
    for (int i = threadIdx.x; i < bins_each; i += blockDim.x) out[blockIdx.x * bins_each + i] = bins[i];
}

// Each CTA reads its neighbour's shared memory, over a ring, through generic pointers.
extern "C" __global__ void __cluster_dims__(4, 1, 1) cluster_ring(const float* in, float* out) {
    __shared__ float mine[64];
    auto cluster = cg::this_cluster();
    const unsigned rank = cluster.block_rank(), count = cluster.num_blocks();
    mine[threadIdx.x] = in[blockIdx.x * 64 + threadIdx.x];
    cluster.sync();
    float sum = 0;
    for (unsigned step = 1; step < count; ++step) {
        const float* theirs = cluster.map_shared_rank(mine, (rank + step) % count);
        sum = sum * 2 + theirs[63 - threadIdx.x];
    }
    out[blockIdx.x * 64 + threadIdx.x] = sum;
    cluster.sync();
}

// Plain PTX: values pushed to the next CTA with st.async, whose bytes an mbarrier over there counts.
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_push(const int* in, int* out, unsigned* ids) {
    __shared__ __align__(16) int box[128];
    __shared__ Barrier ready;
    const unsigned rank = cluster_rank();
    if (threadIdx.x == 0) {
        barrier_init(&ready, 1);
        barrier_init_fence();
        barrier_expect(&ready, sizeof(box));
    }
    cluster_sync();
    unsigned there, bar;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(smem(&box[threadIdx.x])), "r"(rank ^ 1));
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(bar) : "r"(smem(&ready)), "r"(rank ^ 1));
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.s32 [%0], %1, [%2];" ::"r"(there),
                 "r"(in[blockIdx.x * 128 + threadIdx.x] + static_cast<int>(rank)), "r"(bar) : "memory");
    barrier_wait_cluster(&ready, 0);
    out[blockIdx.x * 128 + threadIdx.x] = box[127 - threadIdx.x];
    if (threadIdx.x == 0) {
        unsigned size, x, of;
        asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
        asm("mov.u32 %0, %%clusterid.x;" : "=r"(x));
        asm("mov.u32 %0, %%nclusterid.x;" : "=r"(of));
        ids[4 * blockIdx.x] = rank, ids[4 * blockIdx.x + 1] = size, ids[4 * blockIdx.x + 2] = x,
                ids[4 * blockIdx.x + 3] = of;
    }
    cluster_sync();
}

// One CTA of four fetches each tile, and multicasts it to those whose bit is set.
extern "C" __global__ void __cluster_dims__(4, 1, 1)
    cluster_multicast(const __grid_constant__ CUtensorMap map, float* out) {
    __shared__ __align__(128) float tile[4][16 * 32];
    __shared__ Barrier ready;
    const unsigned rank = cluster_rank();
    if (threadIdx.x == 0) {
        barrier_init(&ready, 1);
        barrier_init_fence();
        // Rank r gets tiles from itself and from each rank whose mask holds it.
        barrier_expect(&ready, sizeof(tile[0]) * (rank % 2 == 0 ? 4 : 2));
    }
    cluster_sync();
    if (threadIdx.x == 0) {
        const unsigned short mask = rank % 2 == 0 ? 0xf : 0x5;
        tma_multicast(tile[rank], &map, 0, 16 * rank, &ready, mask);
    }
    barrier_wait_cluster(&ready, 0);
    for (int i = threadIdx.x; i < 4 * 16 * 32; i += blockDim.x) {
        const bool had = rank % 2 == 0 || i / 512 % 2 == 0;
        out[blockIdx.x * 2048 + i] = had ? tile[i / 512][i % 512] : -1.0f;
    }
    cluster_sync();
}

// A copy from shared memory to another CTA's shared memory.
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_copy(const int* in, int* out) {
    __shared__ __align__(16) int from[256], to[256];
    __shared__ Barrier ready;
    const unsigned rank = cluster_rank();
    if (threadIdx.x == 0) {
        barrier_init(&ready, 1);
        barrier_init_fence();
        barrier_expect(&ready, sizeof(to));
    }
    from[threadIdx.x] = in[blockIdx.x * 256 + threadIdx.x] * 7;
    fence_async_proxy();
    cluster_sync();
    if (threadIdx.x == 0) {
        unsigned there, bar;
        asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(smem(to)), "r"(rank ^ 1));
        asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(bar) : "r"(smem(&ready)), "r"(rank ^ 1));
        asm volatile(
            "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(there),
            "r"(smem(from)), "r"(static_cast<unsigned>(sizeof(to))), "r"(bar)
            : "memory");
    }
    barrier_wait_cluster(&ready, 0);
    out[blockIdx.x * 256 + threadIdx.x] = to[threadIdx.x] + from[255 - threadIdx.x];
    cluster_sync();
}
