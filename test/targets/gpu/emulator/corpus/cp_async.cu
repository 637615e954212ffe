// Asynchronous copies of sm_80 by the primitives: groups of them in a ring of stages, all sizes, zero fill.

#include <cuda_pipeline.h>

// Three stages of 256 float4 a block, each thread waiting for its own copies and then for the others'.
// out = the sum over the tiles of tile[i] * tile[255 - i].
extern "C" __global__ void __launch_bounds__(256) cp_async_ring(const float4* in, float4* out, int tiles) {
    __shared__ float4 stage[3][256];
    const int t = threadIdx.x;
    const float4* mine = in + static_cast<long long>(blockIdx.x) * tiles * 256;
    for (int s = 0; s < 2; ++s) {
        if (s < tiles) __pipeline_memcpy_async(&stage[s][t], &mine[s * 256 + t], 16);
        __pipeline_commit();
    }
    float4 sum = make_float4(0, 0, 0, 0);
    for (int i = 0; i < tiles; ++i) {
        __pipeline_wait_prior(1);
        __syncthreads();
        if (i + 2 < tiles) __pipeline_memcpy_async(&stage[(i + 2) % 3][t], &mine[(i + 2) * 256 + t], 16);
        __pipeline_commit();
        const float4 a = stage[i % 3][t], b = stage[i % 3][255 - t];
        sum.x += a.x * b.x, sum.y += a.y * b.y, sum.z += a.z * b.z, sum.w += a.w * b.w;
    }
    out[blockIdx.x * 256 + t] = sum;
}

// Copies of 4 and 8 bytes, and fewer bytes than asked for: what is missing becomes zero.
extern "C" __global__ void cp_async_sizes(const int* in, int* out, int n) {
    __shared__ __align__(16) int four[128], eight[256], sixteen[512];
    const int t = threadIdx.x;
    __pipeline_memcpy_async(&four[t], &in[t], 4);
    __pipeline_memcpy_async(&eight[2 * t], &in[2 * t], 8);
    const int left = n - 4 * t, have = left < 0 ? 0 : left > 4 ? 4 : left;
    __pipeline_memcpy_async(&sixteen[4 * t], &in[have ? 4 * t : 0], 16, 16 - 4 * have);
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();
    const int u = 127 - t;
    out[t] = four[u];
    for (int i = 0; i < 2; ++i) out[128 + 2 * t + i] = eight[2 * u + i];
    for (int i = 0; i < 4; ++i) out[384 + 4 * t + i] = sixteen[4 * u + i];
}
