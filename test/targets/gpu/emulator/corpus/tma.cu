// TMA by itself: tiles of 1 to 5 dimensions in and out, out-of-bounds fill, reductions into global memory.

#include "hopper.cuh"

#define BEGIN(bytes)                                    \
    __shared__ Barrier ready;                           \
    if (threadIdx.x == 0) {                             \
        barrier_init(&ready, 1);                        \
        fence_async_proxy();                            \
        barrier_expect(&ready, bytes);                  \
    }                                                   \
    __syncthreads()

// A box of `bytes` at the given coordinates, as it lies in shared memory: swizzles and fills show.
extern "C" __global__ void tma_box_2d(const __grid_constant__ CUtensorMap map, unsigned char* out, int x, int y,
                                      int bytes) {
    extern __shared__ __align__(1024) unsigned char box[];
    BEGIN(bytes);
    if (threadIdx.x == 0) tma_load(box, &map, x, y, &ready);
    barrier_wait(&ready, 0);
    for (int i = threadIdx.x; i < bytes; i += blockDim.x) out[i] = box[i];
}

extern "C" __global__ void tma_box_1d(const __grid_constant__ CUtensorMap map, unsigned char* out, int x, int bytes) {
    extern __shared__ __align__(1024) unsigned char box[];
    BEGIN(bytes);
    if (threadIdx.x == 0)
        asm volatile(
            "cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2}], [%3];" ::"r"(
                smem(box)),
            "l"(&map), "r"(x), "r"(smem(&ready))
            : "memory");
    barrier_wait(&ready, 0);
    for (int i = threadIdx.x; i < bytes; i += blockDim.x) out[i] = box[i];
}

extern "C" __global__ void tma_box_5d(const __grid_constant__ CUtensorMap map, unsigned char* out, const int* at,
                                      int bytes) {
    extern __shared__ __align__(1024) unsigned char box[];
    BEGIN(bytes);
    if (threadIdx.x == 0)
        asm volatile(
            "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5, "
            "%6}], [%7];" ::"r"(smem(box)),
            "l"(&map), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]), "r"(smem(&ready))
            : "memory");
    barrier_wait(&ready, 0);
    for (int i = threadIdx.x; i < bytes; i += blockDim.x) out[i] = box[i];
}

// A transpose by tiles of 32x32 floats: in by TMA, turned in shared memory, out by TMA; edges are the hardware's.
extern "C" __global__ void tma_transpose(const __grid_constant__ CUtensorMap in,
                                         const __grid_constant__ CUtensorMap out) {
    __shared__ __align__(128) float from[32][32], to[32][32];
    BEGIN(sizeof(from));
    if (threadIdx.x == 0) tma_load(from, &in, blockIdx.x * 32, blockIdx.y * 32, &ready);
    barrier_wait(&ready, 0);
    for (int i = threadIdx.x; i < 1024; i += blockDim.x) to[i / 32][i % 32] = from[i % 32][i / 32];
    fence_async_proxy();
    __syncthreads();
    if (threadIdx.x == 0) {
        tma_store(&out, to, blockIdx.y * 32, blockIdx.x * 32);
        tma_commit();
        tma_wait<0>();
    }
}

// Every CTA adds its tile of floats to the same place, and its row of ints by the form without a tensor map.
extern "C" __global__ void tma_reduce(const __grid_constant__ CUtensorMap sum, int* row) {
    __shared__ __align__(128) float tile[8][32];
    __shared__ __align__(16) int ints[64];
    for (int i = threadIdx.x; i < 256; i += blockDim.x) tile[i / 32][i % 32] = static_cast<float>(i * (blockIdx.x + 1));
    for (int i = threadIdx.x; i < 64; i += blockDim.x) ints[i] = i + static_cast<int>(blockIdx.x);
    fence_async_proxy();
    __syncthreads();
    if (threadIdx.x == 0) {
        asm volatile(
            "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&sum),
            "r"(0), "r"(0), "r"(smem(tile))
            : "memory");
        asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.s32 [%0], [%1], %2;" ::"l"(row),
                     "r"(smem(ints)), "r"(static_cast<unsigned>(sizeof(ints)))
                     : "memory");
        tma_commit();
        tma_wait<0>();
    }
}
