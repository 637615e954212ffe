// Asynchronous copies through libcu++: cuda::pipeline of a block and of roles, and bulk copies against cuda::barrier.

#include <cooperative_groups.h>
#include <cuda/barrier>
#include <cuda/pipeline>

namespace cg = cooperative_groups;

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
            cuda::memcpy_async(block, stage[fetch % 2], in + fetch * 512, cuda::aligned_size_t<16>(sizeof(stage[0])),
                               pipe);
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
