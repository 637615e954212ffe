// Cooperative groups, cuda::barrier, cuda::atomic_ref, latch and semaphore: what the library's headers make.

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/semaphore>
#include <cuda/std/span>

namespace cg = cooperative_groups;

// Sums by tiles of 4, 16 and 32 lanes, and a scan.
extern "C" __global__ void tiles(const int* in, int* out) {
    const auto block = cg::this_thread_block();
    const int i = block.thread_rank(), value = in[i];
    const auto four = cg::tiled_partition<4>(block);
    const auto sixteen = cg::tiled_partition<16>(block);
    const auto warp = cg::tiled_partition<32>(block);
    int sum = value;
    for (int offset = four.size() / 2; offset > 0; offset /= 2) sum += four.shfl_down(sum, offset);
    out[6 * i] = four.shfl(sum, 0);
    out[6 * i + 1] = cg::reduce(sixteen, value, cg::greater<int>());
    out[6 * i + 2] = cg::reduce(warp, value, cg::plus<int>());
    out[6 * i + 3] = cg::inclusive_scan(warp, value);
    out[6 * i + 4] = static_cast<int>(warp.ballot(value & 1));
    out[6 * i + 5] = static_cast<int>(four.meta_group_rank()) * 100 + static_cast<int>(sixteen.match_any(value & 3));
}

// Groups of the lanes that came here, and groups by label.
extern "C" __global__ void coalesced(const int* in, int* out, unsigned* counter) {
    const auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    const int i = threadIdx.x, value = in[i];
    out[4 * i] = out[4 * i + 1] = -1;
    if (value % 3 == 1) {
        const auto active = cg::coalesced_threads();
        out[4 * i] = static_cast<int>(active.thread_rank() * 100 + active.size());
        int base = 0;
        if (active.thread_rank() == 0) base = static_cast<int>(atomicAdd(counter, active.size()));
        out[4 * i + 1] = active.shfl(value, active.size() - 1) + 0 * active.shfl(base, 0);
    }
    warp.sync();
    const auto label = cg::labeled_partition(warp, value % 4);
    out[4 * i + 2] = cg::reduce(label, value, cg::plus<int>());
    const auto split = cg::binary_partition(warp, value > 50);
    out[4 * i + 3] = static_cast<int>(split.size() * 100 + split.thread_rank());
}

// A cooperative grid: rounds of a relaxation, all CTAs between rounds.
extern "C" __global__ void grid_rounds(float* a, float* b, int n, int rounds) {
    const auto grid = cg::this_grid();
    for (int round = 0; round < rounds; ++round) {
        const float* from = round % 2 ? b : a;
        float* to = round % 2 ? a : b;
        for (int i = grid.thread_rank(); i < n; i += grid.size()) {
            const float left = i > 0 ? from[i - 1] : 0.0f, right = i + 1 < n ? from[i + 1] : 0.0f;
            to[i] = 0.25f * left + 0.5f * from[i] + 0.25f * right;
        }
        grid.sync();
    }
}

// cuda::barrier in halves: half the block produces, half consumes, each round in two phases.
extern "C" __global__ void barrier_halves(const int* in, int* out, int rounds) {
    using Barrier = cuda::barrier<cuda::thread_scope_block>;
    __shared__ Barrier filled, drained;
    __shared__ int box[64];
    const auto block = cg::this_thread_block();
    if (threadIdx.x == 0) {
        init(&filled, blockDim.x);
        init(&drained, blockDim.x);
    }
    block.sync();
    const int half = blockDim.x / 2, me = threadIdx.x % half;
    int sum = 0;
    for (int round = 0; round < rounds; ++round) {
        if (static_cast<int>(threadIdx.x) < half) {
            box[me] = in[round * half + me];
            (void)filled.arrive();
            drained.arrive_and_wait();
        } else {
            filled.arrive_and_wait();
            sum = sum * 5 + box[half - 1 - me];
            (void)drained.arrive();
        }
    }
    if (static_cast<int>(threadIdx.x) >= half) out[me] = sum;
}

// Arrive, do something else, wait; a thread that drops out; a completion that is counted.
extern "C" __global__ void barrier_drop(int* out) {
    __shared__ cuda::barrier<cuda::thread_scope_block> all;
    __shared__ int count[4];
    if (threadIdx.x == 0) init(&all, blockDim.x);
    if (threadIdx.x < 4) count[threadIdx.x] = 0;
    __syncthreads();
    for (int round = 0; round < 4; ++round) {
        if (static_cast<int>(threadIdx.x / 32) < round) {
            all.arrive_and_drop();
            return;
        }
        atomicAdd(&count[round], 1);
        auto token = all.arrive();
        all.wait(std::move(token));
        out[round * blockDim.x + threadIdx.x] = count[round];
    }
}

// Message passing between CTAs: data plain, flags by atomic_ref with release and acquire.
extern "C" __global__ void message(int* data, int* flag, int* out, int rounds) {
    cuda::atomic_ref<int, cuda::thread_scope_device> turn(*flag);
    for (int round = 0; round < rounds; ++round) {
        const int mine = 2 * round + static_cast<int>(blockIdx.x);
        if (threadIdx.x == 0)
            while (turn.load(cuda::memory_order_acquire) != mine) {}
        __syncthreads();
        data[threadIdx.x] = data[threadIdx.x] * 3 + static_cast<int>(blockIdx.x) + 1;
        __syncthreads();
        if (threadIdx.x == 0) turn.store(mine + 1, cuda::memory_order_release);
    }
    if (blockIdx.x == 1) out[threadIdx.x] = data[threadIdx.x];
}

// The orders and scopes of every operation that the header knows, on counters that all threads share.
extern "C" __global__ void atomic_orders(unsigned* u, int* s, unsigned long long* l, float* f, double* d,
                                         short* narrow) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    using namespace cuda;
    atomic_ref<unsigned, thread_scope_system>(u[0]).fetch_add(i, memory_order_relaxed);
    atomic_ref<unsigned, thread_scope_device>(u[1]).fetch_and(~(1u << (i % 16)), memory_order_acq_rel);
    atomic_ref<unsigned, thread_scope_device>(u[2]).fetch_or(1u << (i % 32), memory_order_seq_cst);
    atomic_ref<unsigned, thread_scope_device>(u[3]).fetch_xor(1u << (i % 5), memory_order_release);
    atomic_ref<int, thread_scope_device>(s[0]).fetch_max(i * 37 % 101 - 50, memory_order_acquire);
    atomic_ref<int, thread_scope_device>(s[1]).fetch_min(i * 37 % 101 - 50);
    atomic_ref<int, thread_scope_device>(s[2]).fetch_sub(i);
    atomic_ref<unsigned long long, thread_scope_device>(l[0]).fetch_add(1ull << (i % 40));
    atomic_ref<float, thread_scope_device>(f[0]).fetch_add(1.0f);
    atomic_ref<double, thread_scope_device>(d[0]).fetch_add(0.5);
    atomic_ref<unsigned long long, thread_scope_device> maximum(l[1]);
    unsigned long long seen = maximum.load(memory_order_relaxed);
    while (seen < static_cast<unsigned long long>(i) * 1000003 % 4096 &&
           !maximum.compare_exchange_weak(seen, static_cast<unsigned long long>(i) * 1000003 % 4096,
                                          memory_order_acq_rel, memory_order_relaxed)) {
    }
    // 16-bit objects have no instruction of their own for addition: a loop on the word around.
    atomic_ref<short, thread_scope_device>(narrow[i % 3]).fetch_add(1, memory_order_relaxed);
    __threadfence_system();
}

// A semaphore lets four in at a time; the peak is kept.
extern "C" __global__ void semaphore(int* inside, int* peak, int* total) {
    __shared__ cuda::counting_semaphore<cuda::thread_scope_block, 4> gate;
    if (threadIdx.x == 0) new (&gate) cuda::counting_semaphore<cuda::thread_scope_block, 4>(4);
    __syncthreads();
    gate.acquire();
    const int now = atomicAdd(inside, 1) + 1;
    atomicMax(peak, now);
    atomicAdd(total, 1);
    atomicSub(inside, 1);
    gate.release();
}
