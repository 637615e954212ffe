// wgmma by itself: every swizzle mode with tiles that threads lay out by hand (and so must fence to the async proxy),
// every type, A out of registers, both operands with k outermost, scaling by -1.

#include "hopper.cuh"

#include <cuda_fp16.h>

// Where byte `x` of row `r` lies in an operand of `span`-byte rows (32, 64, 128) that the hardware swizzles by XOR.
__device__ __forceinline__ int swizzled(int r, int x, int span) {
    const int at = r * span + x;
    return at ^ (((at >> 7) & (span / 16 - 1)) << 4);
}

// D = A B^T with 64 rows of A, 64 of B, `Span` bytes of k in each row, four steps of 32 bytes (fewer if Span is less).
template <int Span, Swizzle Mode, class Mma, class D>
__device__ void by_hand(const unsigned* a, const unsigned* b, D* out, Mma mma) {
    __shared__ __align__(1024) unsigned char as[64 * Span], bs[64 * Span];
    for (int i = threadIdx.x; i < 64 * Span / 4; i += 128) {
        const int r = i / (Span / 4), x = i % (Span / 4) * 4;
        // Without a swizzle: cores of 8 rows of 16 bytes, one after the other down the rows, then along k.
        const int at = Mode == Plain ? (x / 16) * 1024 + r * 16 + x % 16 : swizzled(r, x, Span);
        *reinterpret_cast<unsigned*>(as + at) = a[i];
        *reinterpret_cast<unsigned*>(bs + at) = b[i];
    }
    fence_async_proxy();
    __syncthreads();
    D d[32] = {};
    wgmma_fence();
#pragma unroll
    for (int s = 0; s < Span / 32; ++s) {
        const int skip = Mode == Plain ? 2048 * s : 32 * s;
        const unsigned leading = Mode == Plain ? 1024 : 16, stride = Mode == Plain ? 128 : 8 * Span;
        mma(d, descriptor(as + skip, leading, stride, Mode), descriptor(bs + skip, leading, stride, Mode));
    }
    wgmma_commit();
    wgmma_wait<0>();
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    for (int i = 0; i < 32; ++i) out[(warp * 16 + g + (i / 2 % 2) * 8) * 64 + (i / 4) * 8 + 2 * t + i % 2] = d[i];
}

#define WGMMA_F32(shape, tail)                                                                                       \
    [](float* d, unsigned long long x, unsigned long long y) {                                                       \
        asm volatile("wgmma.mma_async.sync.aligned." shape " " REGS_32 ", %32, %33, 1, " tail ";"                    \
                     : ACC16(d, 0), ACC16(d, 16) : "l"(x), "l"(y));                                                  \
    }
#define KERNEL(name, span, mode, type, mma)                                                                   \
    extern "C" __global__ void __launch_bounds__(128) name(const unsigned* a, const unsigned* b, type* out) { \
        by_hand<span, mode>(a, b, out, mma);                                                                  \
    }

KERNEL(wgmma_f16_plain, 128, Plain, float, WGMMA_F32("m64n64k16.f32.f16.f16", "1, 1, 0, 0"))
KERNEL(wgmma_f16_32, 32, Swizzle32, float, WGMMA_F32("m64n64k16.f32.f16.f16", "1, 1, 0, 0"))
KERNEL(wgmma_f16_64, 64, Swizzle64, float, WGMMA_F32("m64n64k16.f32.f16.f16", "1, 1, 0, 0"))
KERNEL(wgmma_f16_128, 128, Swizzle128, float, WGMMA_F32("m64n64k16.f32.f16.f16", "1, 1, 0, 0"))
KERNEL(wgmma_f16_minus, 128, Swizzle128, float, WGMMA_F32("m64n64k16.f32.f16.f16", "-1, 1, 0, 0"))
KERNEL(wgmma_bf16_64, 64, Swizzle64, float, WGMMA_F32("m64n64k16.f32.bf16.bf16", "1, -1, 0, 0"))
KERNEL(wgmma_tf32_128, 128, Swizzle128, float, WGMMA_F32("m64n64k8.f32.tf32.tf32", "1, 1"))
KERNEL(wgmma_tf32_plain, 64, Plain, float, WGMMA_F32("m64n64k8.f32.tf32.tf32", "1, 1"))
KERNEL(wgmma_e5m2_e4m3, 128, Swizzle128, float, WGMMA_F32("m64n64k32.f32.e5m2.e4m3", "1, 1"))
KERNEL(wgmma_s8_128, 128, Swizzle128, int, [](int* d, unsigned long long x, unsigned long long y) {
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k32.s32.s8.s8 " REGS_32 ", %32, %33, 1;"
                 : IACC16(d, 0), IACC16(d, 16)
                 : "l"(x), "l"(y));
})
KERNEL(wgmma_u8_s8_32, 32, Swizzle32, int, [](int* d, unsigned long long x, unsigned long long y) {
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k32.s32.u8.s8 " REGS_32 ", %32, %33, 1;"
                 : IACC16(d, 0), IACC16(d, 16)
                 : "l"(x), "l"(y));
})

// Half accumulators: 64x64 in 16 registers of pairs.
extern "C" __global__ void __launch_bounds__(128) wgmma_f16_f16(const unsigned* a, const unsigned* b, unsigned* out) {
    __shared__ __align__(1024) unsigned char as[64 * 128], bs[64 * 128];
    for (int i = threadIdx.x; i < 2048; i += 128) {
        const int at = swizzled(i / 32, i % 32 * 4, 128);
        *reinterpret_cast<unsigned*>(as + at) = a[i];
        *reinterpret_cast<unsigned*>(bs + at) = b[i];
    }
    fence_async_proxy();
    __syncthreads();
    unsigned d[16] = {};
    wgmma_fence();
    for (int s = 0; s < 4; ++s)
        asm volatile(
            "wgmma.mma_async.sync.aligned.m64n64k16.f16.f16.f16 "
            "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15}, %16, %17, 1, 1, 1, 0, 0;"
            : IACC16(d, 0)
            : "l"(descriptor(as + 32 * s, 16, 1024, Swizzle128)), "l"(descriptor(bs + 32 * s, 16, 1024, Swizzle128)));
    wgmma_commit();
    wgmma_wait<0>();
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    for (int i = 0; i < 16; ++i) out[(warp * 16 + g + (i % 2) * 8) * 32 + (i / 2) * 4 + t] = d[i];
}

// A from registers (rows of 64 halves), B with n innermost (64 rows of k, 64 of n), fetched by TMA with 128B swizzle.
extern "C" __global__ void __launch_bounds__(128)
    wgmma_registers(const unsigned* a, const __grid_constant__ CUtensorMap b, float* out) {
    __shared__ __align__(1024) unsigned char bs[64 * 128];
    __shared__ Barrier ready;
    if (threadIdx.x == 0) {
        barrier_init(&ready, 1);
        fence_async_proxy();
        barrier_expect(&ready, sizeof(bs));
        tma_load(bs, &b, 0, 0, &ready);
    }
    __syncthreads();
    barrier_wait(&ready, 0);
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    float d[32] = {};
    unsigned x[4][4];
    for (int s = 0; s < 4; ++s)
        for (int i = 0; i < 4; ++i) x[s][i] = a[(warp * 16 + g + (i % 2) * 8) * 32 + s * 8 + t + (i / 2) * 4];
    wgmma_fence();
#pragma unroll
    for (int s = 0; s < 4; ++s)
        asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 " REGS_32
                     ", {%32,%33,%34,%35}, %36, 1, 1, 1, 1;"
                     : ACC16(d, 0), ACC16(d, 16)
                     : "r"(x[s][0]), "r"(x[s][1]), "r"(x[s][2]), "r"(x[s][3]),
                       "l"(descriptor(bs + 2048 * s, 8192, 1024, Swizzle128)));
    wgmma_commit();
    wgmma_wait<0>();
    for (int i = 0; i < 32; ++i) out[(warp * 16 + g + (i / 2 % 2) * 8) * 64 + (i / 4) * 8 + 2 * t + i % 2] = d[i];
}

// A with m innermost and B with n innermost, n = 128 in two boxes of 64 columns: the leading offset counts.
extern "C" __global__ void __launch_bounds__(128)
    wgmma_transposed(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b, float* out,
                     int steps) {
    __shared__ __align__(1024) unsigned char as[64 * 128], bs[2][64 * 128];
    __shared__ Barrier ready;
    if (threadIdx.x == 0) {
        barrier_init(&ready, 1);
        fence_async_proxy();
    }
    __syncthreads();
    float d[64] = {};
    for (int i = 0; i < steps; ++i) {
        if (threadIdx.x == 0) {
            barrier_expect(&ready, sizeof(as) + sizeof(bs));
            tma_load(as, &a, 0, i * 64, &ready);
            tma_load(bs[0], &b, 0, i * 64, &ready);
            tma_load(bs[1], &b, 64, i * 64, &ready);
        }
        barrier_wait(&ready, i % 2);
        wgmma_fence();
#pragma unroll
        for (int s = 0; s < 4; ++s)
            asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " REGS_64 ", %64, %65, 1, 1, 1, 1, 1;"
                         : ACC16(d, 0), ACC16(d, 16), ACC16(d, 32), ACC16(d, 48)
                         : "l"(descriptor(as + 2048 * s, 8192, 1024, Swizzle128)),
                           "l"(descriptor(bs[0] + 2048 * s, 8192, 1024, Swizzle128)));
        wgmma_commit();
        wgmma_wait<0>();
        __syncthreads();
    }
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    for (int i = 0; i < 64; ++i) out[(warp * 16 + g + (i / 2 % 2) * 8) * 128 + (i / 4) * 8 + 2 * t + i % 2] = d[i];
}
