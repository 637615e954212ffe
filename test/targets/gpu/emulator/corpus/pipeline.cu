// Asynchronous copies of sm_80: cp.async by the primitives, by cuda::pipeline, and against an mbarrier.

#include <cooperative_groups.h>
#include <cuda/barrier>
#include <cuda/pipeline>
#include <cuda_pipeline.h>

namespace cg = cooperative_groups;

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

// cuda::pipeline of the block, two stages, whole-block memcpy_async.
extern "C" __global__ void __launch_bounds__(128) pipeline_block(const int* in, int* out, int tiles) {
    __shared__ __align__(16) int stage[2][512];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
    const auto block = cg::this_thread_block();
    auto pipe = cuda::make_pipeline(block, &state);
    int sum = 0;
    for (int fetch = 0, use = 0; use < tiles; ++use) {
        for (; fetch < tiles && fetch < use + 2; ++fetch) {
            pipe.producer_acquire();
            cuda::memcpy_async(block, stage[fetch % 2], in + fetch * 512, cuda::aligned_size_t<16>(sizeof(stage[0])), pipe);
            pipe.producer_commit();
        }
        pipe.consumer_wait();
        for (int i = 0; i < 4; ++i) sum = sum * 3 + stage[use % 2][(4 * threadIdx.x + i * 5) % 512];
        pipe.consumer_release();
    }
    out[threadIdx.x] = sum;
}

// Warps with roles: one fills, three use, through cuda::pipeline with partitions.
extern "C" __global__ void __launch_bounds__(128) pipeline_roles(const int* in, int* out, int tiles) {
    __shared__ int stage[3][96];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 3> state;
    const auto block = cg::this_thread_block();
    const auto role = threadIdx.x < 32 ? cuda::pipeline_role::producer : cuda::pipeline_role::consumer;
    auto pipe = cuda::make_pipeline(block, &state, role);
    if (role == cuda::pipeline_role::producer) {
        for (int i = 0; i < tiles; ++i) {
            pipe.producer_acquire();
            for (int j = 0; j < 3; ++j) {
                const int at = 32 * j + threadIdx.x;
                cuda::memcpy_async(&stage[i % 3][at], &in[96 * i + at], sizeof(int), pipe);
            }
            pipe.producer_commit();
        }
        return;
    }
    const int me = threadIdx.x - 32;
    int sum = 0;
    for (int i = 0; i < tiles; ++i) {
        pipe.consumer_wait();
        sum += stage[i % 3][95 - me] * (i + 1);
        pipe.consumer_release();
    }
    out[me] = sum;
}

// cp.async that arrives on an mbarrier, and cp.async.bulk that counts its bytes there, through cuda::barrier.
extern "C" __global__ void barrier_copies(const int* in, int* out) {
    __shared__ __align__(128) int tile[1024];
    __shared__ cuda::barrier<cuda::thread_scope_block> ready;
    if (threadIdx.x == 0) {
        init(&ready, blockDim.x);
        cuda::device::experimental::fence_proxy_async_shared_cta();
    }
    __syncthreads();
    cuda::barrier<cuda::thread_scope_block>::arrival_token token;
    if (threadIdx.x == 0) {
        cuda::device::memcpy_async_tx(tile, in + blockIdx.x * 1024, cuda::aligned_size_t<16>(sizeof(tile)), ready);
        token = cuda::device::barrier_arrive_tx(ready, 1, sizeof(tile));
    } else {
        token = ready.arrive(1);
    }
    ready.wait(std::move(token));
    for (int i = threadIdx.x; i < 1024; i += blockDim.x) tile[i] = tile[i] * 2 + i;
    cuda::device::experimental::fence_proxy_async_shared_cta();
    __syncthreads();
    if (threadIdx.x == 0) {
        cuda::device::experimental::cp_async_bulk_shared_to_global(out + blockIdx.x * 1024, tile, sizeof(tile));
        cuda::device::experimental::cp_async_bulk_commit_group();
        cuda::device::experimental::cp_async_bulk_wait_group_read<0>();
    }
}
