// Ways of waiting that go through libcu++ and cooperative groups: barriers between producers and consumers, a pipeline of
// asynchronous copies, a tile of several warps (in the system's own shared memory), and masks of who is active.

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda/barrier>
#include <cuda/pipeline>

namespace cg = cooperative_groups;
using barrier = cuda::barrier<cuda::thread_scope_block>;

// Half of the block fills a buffer, the other half sums it, n times; the producers drop out at the end.
extern "C" __global__ void producer_consumer(int* out, int n) {
    __shared__ int buffer[64];
    __shared__ barrier full, empty;
    const auto block = cg::this_thread_block();
    if (block.thread_rank() == 0) {
        init(&full, block.size());
        init(&empty, block.size());
    }
    block.sync();
    int sum = 0;
    if (threadIdx.x < 64) {
        for (int i = 0; i < n; ++i) {
            empty.arrive_and_wait();
            buffer[threadIdx.x] = i * 1000 + threadIdx.x;
            (void)full.arrive();
        }
        empty.arrive_and_drop();
    } else {
        (void)empty.arrive();
        for (int i = 0; i < n; ++i) {
            full.arrive_and_wait();
            sum += buffer[127 - threadIdx.x];
            (void)empty.arrive();
        }
    }
    out[threadIdx.x] = sum;
}

extern "C" __global__ void two_stages(int* out, const int* in, int n) {
    __shared__ int stage[2][128];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
    const auto block = cg::this_thread_block();
    auto pipeline = cuda::make_pipeline(block, &state);
    int sum = 0;
    for (int i = 0, fetched = 0; i < n; ++i) {
        for (; fetched < n && fetched < i + 2; ++fetched) {
            pipeline.producer_acquire();
            cuda::memcpy_async(block, stage[fetched % 2], in + fetched * 128, sizeof(int) * 128, pipeline);
            pipeline.producer_commit();
        }
        pipeline.consumer_wait();
        sum += stage[i % 2][127 - threadIdx.x];
        pipeline.consumer_release();
    }
    out[threadIdx.x] = sum;
}

extern "C" __global__ void large_tile(int* out) {
    __shared__ cg::block_tile_memory<256> memory;
    const auto tile = cg::tiled_partition<128>(cg::this_thread_block(memory));
    const int sum = cg::reduce(tile, static_cast<int>(threadIdx.x), cg::plus<int>());
    tile.sync();
    out[threadIdx.x] = sum;
}

extern "C" __global__ void whoever_is_active(int* out) {
    const int x = threadIdx.x;
    int result = 0;
    if (x % 2) {
        const auto active = cg::coalesced_threads();
        result = cg::reduce(active, x, cg::plus<int>());
        if (x % 4 == 1) result += cg::coalesced_threads().shfl(x, 0);
    } else {
        for (int i = 0; i < x % 5; ++i) result += i;
    }
    __syncwarp();
    result += __syncthreads_count(result % 2) * 100000;
    out[x] = result;
}
