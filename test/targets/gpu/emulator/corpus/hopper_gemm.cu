// C = A B^T for Hopper, as the fast ones are built: persistent CTAs, a producer warp that feeds a ring of stages by
// TMA, two consumer warpgroups with wgmma, setmaxnreg, an epilogue through stmatrix and TMA stores. A and B have k
// innermost, bf16 or e4m3, 128 bytes of k a stage; C is bf16. The clustered form shares B: each of two CTAs fetches
// half of its tile and multicasts it.

#include "hopper.cuh"

#include <cuda_bf16.h>

constexpr int TileM = 128, TileN = 128, Stages = 3, StageBytes = (TileM + TileN) * 128;

struct Bf16 {
    static constexpr int Width = 64;  // elements of k in 128 bytes
    static __device__ __forceinline__ void mma(float* d, unsigned long long a, unsigned long long b, int keep) {
        asm volatile(
            "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %66, 0;\n\t"
            "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " REGS_64 ", %64, %65, p, 1, 1, 0, 0;\n\t}"
            : ACC16(d, 0), ACC16(d, 16), ACC16(d, 32), ACC16(d, 48) : "l"(a), "l"(b), "r"(keep));
    }
};
struct E4m3 {
    static constexpr int Width = 128;
    static __device__ __forceinline__ void mma(float* d, unsigned long long a, unsigned long long b, int keep) {
        asm volatile(
            "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %66, 0;\n\t"
            "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 " REGS_64 ", %64, %65, p, 1, 1;\n\t}"
            : ACC16(d, 0), ACC16(d, 16), ACC16(d, 32), ACC16(d, 48) : "l"(a), "l"(b), "r"(keep));
    }
};

struct Ring {
    int stage = 0;
    unsigned phase = 0;
    __device__ __forceinline__ void next() {
        if (++stage == Stages) stage = 0, phase ^= 1;
    }
};

template <class Type, int Cluster>
__device__ void gemm(const CUtensorMap& a, const CUtensorMap& b, const CUtensorMap& c, int m, int n, int k) {
    extern __shared__ __align__(1024) unsigned char memory[];
    __shared__ __align__(8) Barrier full[Stages], empty[Stages];
    unsigned char* tile_c = memory + Stages * StageBytes;  // two warpgroups x two halves x 64 rows x 128 bytes
    const unsigned rank = Cluster > 1 ? cluster_rank() : 0;
    const int warpgroup = threadIdx.x / 128;
    if (threadIdx.x == 0) {
        for (int s = 0; s < Stages; ++s) {
            barrier_init(&full[s], 1);
            // One thread of each warpgroup tells each CTA of the cluster; without clusters a lane of each warp does.
            barrier_init(&empty[s], Cluster > 1 ? 2 * Cluster : 2 * 4);
        }
        barrier_init_fence();
    }
    if (Cluster > 1) cluster_sync();
    else __syncthreads();

    // Clusters take pairs of tiles that are neighbours in m, so that both need the same B.
    const int down = m / TileM, tiles = down * (n / TileN), steps = k / Type::Width;
    Ring ring;
    if (warpgroup == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 0) {
            for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
                const int row = tile % down * TileM, column = tile / down * TileN;
                for (int i = 0; i < steps; ++i, ring.next()) {
                    unsigned char* at = memory + ring.stage * StageBytes;
                    if (Cluster > 1) barrier_wait_cluster(&empty[ring.stage], ring.phase ^ 1);
                    else barrier_wait(&empty[ring.stage], ring.phase ^ 1);
                    barrier_expect(&full[ring.stage], StageBytes);
                    tma_load(at, &a, i * Type::Width, row, &full[ring.stage]);
                    if (Cluster > 1) {
                        const int half = TileN / Cluster;
                        tma_multicast(at + TileM * 128 + rank * half * 128, &b, i * Type::Width, column + rank * half,
                                      &full[ring.stage], (1 << Cluster) - 1);
                    } else {
                        tma_load(at + TileM * 128, &b, i * Type::Width, column, &full[ring.stage]);
                    }
                }
            }
        }
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        const int consumer = warpgroup - 1, thread = threadIdx.x % 128, lane = thread % 32, warp = thread / 32;
        unsigned char* mine = tile_c + consumer * 16384;
        for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
            const int row = tile % down * TileM, column = tile / down * TileN;
            float d[64];
            for (int i = 0; i < steps; ++i, ring.next()) {
                barrier_wait(&full[ring.stage], ring.phase);
                const unsigned char* at = memory + ring.stage * StageBytes;
                wgmma_fence();
#pragma unroll
                for (int s = 0; s < 4; ++s)
                    Type::mma(d, descriptor(at + consumer * 64 * 128 + 32 * s, 16, 1024, Swizzle128),
                              descriptor(at + TileM * 128 + 32 * s, 16, 1024, Swizzle128), i > 0 || s > 0);
                wgmma_commit();
                wgmma_wait<0>();
                if (Cluster > 1) {
                    if (thread < Cluster) barrier_arrive_remote(&empty[ring.stage], thread);
                } else if (lane == 0) {
                    barrier_arrive(&empty[ring.stage]);
                }
            }
            // The tile before must have left the shared memory that this one goes to.
            if (thread == 0) tma_wait_read<0>();
            asm volatile("bar.sync %0, 128;" ::"r"(consumer + 1) : "memory");
#pragma unroll
            for (int pair = 0; pair < 8; ++pair) {
                unsigned w[4];
#pragma unroll
                for (int h = 0; h < 4; ++h) {
                    const __nv_bfloat162 two = __floats2bfloat162_rn(d[8 * pair + 2 * h], d[8 * pair + 2 * h + 1]);
                    w[h] = *reinterpret_cast<const unsigned*>(&two);
                }
                const int r = warp * 16 + lane % 16, piece = (pair % 4) * 2 + lane / 16;
                unsigned char* to = mine + (pair / 4) * 8192 + r * 128 + ((piece ^ (r % 8)) * 16);
                asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(smem(to)), "r"(w[0]),
                             "r"(w[1]), "r"(w[2]), "r"(w[3])
                             : "memory");
            }
            fence_async_proxy();
            asm volatile("bar.sync %0, 128;" ::"r"(consumer + 1) : "memory");
            if (thread == 0) {
                tma_store(&c, mine, column, row + consumer * 64);
                tma_store(&c, mine + 8192, column + 64, row + consumer * 64);
                tma_commit();
            }
        }
        if (thread == 0) tma_wait<0>();
    }
    // No CTA may leave while another can still write to its memory or arrive on its barriers.
    if (Cluster > 1) cluster_sync();
}

#define MAPS \
    const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b, const __grid_constant__ CUtensorMap c
extern "C" __global__ void __launch_bounds__(384, 1) gemm_bf16(MAPS, int m, int n, int k) {
    gemm<Bf16, 1>(a, b, c, m, n, k);
}
extern "C" __global__ void __launch_bounds__(384, 1) gemm_e4m3(MAPS, int m, int n, int k) {
    gemm<E4m3, 1>(a, b, c, m, n, k);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
    gemm_bf16_cluster(MAPS, int m, int n, int k) { gemm<Bf16, 2>(a, b, c, m, n, k); }
extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
    gemm_e4m3_cluster(MAPS, int m, int n, int k) { gemm<E4m3, 2>(a, b, c, m, n, k); }
