// CUB's collectives of a warp and of a block: the code is the headers', a kernel here only loads, calls and stores.

#include <cub/block/block_adjacent_difference.cuh>
#include <cub/block/block_discontinuity.cuh>
#include <cub/block/block_exchange.cuh>
#include <cub/block/block_histogram.cuh>
#include <cub/block/block_load.cuh>
#include <cub/block/block_merge_sort.cuh>
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_run_length_decode.cuh>
#include <cub/block/block_scan.cuh>
#include <cub/block/block_shuffle.cuh>
#include <cub/block/block_store.cuh>
#include <cub/warp/warp_merge_sort.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <cub/warp/warp_scan.cuh>

constexpr int Threads = 128, Items = 4;

struct Bounded {
    __device__ int operator()(int a, int b) const { return min(a + b, 1000); }
};

template <cub::BlockScanAlgorithm Algorithm> __device__ void scan(const int* in, int* out, int* total) {
    using Load = cub::BlockLoad<int, Threads, Items, cub::BLOCK_LOAD_WARP_TRANSPOSE>;
    using Scan = cub::BlockScan<int, Threads, Algorithm>;
    using Store = cub::BlockStore<int, Threads, Items, cub::BLOCK_STORE_TRANSPOSE>;
    __shared__ union {
        typename Load::TempStorage load;
        typename Scan::TempStorage scan;
        typename Store::TempStorage store;
    } memory;
    int items[Items], sum;
    Load(memory.load).Load(in + blockIdx.x * Threads * Items, items);
    __syncthreads();
    Scan(memory.scan).ExclusiveSum(items, items, sum);
    __syncthreads();
    Store(memory.store).Store(out + blockIdx.x * Threads * Items, items);
    if (threadIdx.x == 0) total[blockIdx.x] = sum;
}
extern "C" __global__ void __launch_bounds__(Threads) block_scan_raking(const int* in, int* out, int* total) {
    scan<cub::BLOCK_SCAN_RAKING_MEMOIZE>(in, out, total);
}
extern "C" __global__ void __launch_bounds__(Threads) block_scan_warps(const int* in, int* out, int* total) {
    scan<cub::BLOCK_SCAN_WARP_SCANS>(in, out, total);
}

template <cub::BlockReduceAlgorithm Algorithm> __device__ void reduce(const float* in, float* out, int n) {
    using Reduce = cub::BlockReduce<float, Threads, Algorithm>;
    __shared__ typename Reduce::TempStorage memory;
    const float value = threadIdx.x < n ? in[threadIdx.x] : 0.0f;
    const float sum = Reduce(memory).Sum(value);
    __syncthreads();
    const float most = Reduce(memory).Reduce(value, cuda::maximum<>{}, n);
    if (threadIdx.x == 0) out[0] = sum, out[1] = most;
}
extern "C" __global__ void __launch_bounds__(Threads) block_reduce_raking(const float* in, float* out, int n) {
    reduce<cub::BLOCK_REDUCE_RAKING>(in, out, n);
}
extern "C" __global__ void __launch_bounds__(Threads) block_reduce_commutative(const float* in, float* out, int n) {
    reduce<cub::BLOCK_REDUCE_RAKING_COMMUTATIVE_ONLY>(in, out, n);
}
extern "C" __global__ void __launch_bounds__(Threads) block_reduce_warps(const float* in, float* out, int n) {
    reduce<cub::BLOCK_REDUCE_WARP_REDUCTIONS>(in, out, n);
}

extern "C" __global__ void __launch_bounds__(Threads) block_radix_sort(float* keys, int* values, int descending) {
    using Sort = cub::BlockRadixSort<float, Threads, Items, int>;
    __shared__ typename Sort::TempStorage memory;
    float k[Items];
    int v[Items];
    cub::LoadDirectBlocked(threadIdx.x, keys, k);
    cub::LoadDirectBlocked(threadIdx.x, values, v);
    if (descending) Sort(memory).SortDescendingBlockedToStriped(k, v);
    else Sort(memory).SortBlockedToStriped(k, v);
    cub::StoreDirectStriped<Threads>(threadIdx.x, keys, k);
    cub::StoreDirectStriped<Threads>(threadIdx.x, values, v);
}

extern "C" __global__ void __launch_bounds__(Threads) block_merge_sort(short* keys, int* values) {
    using Sort = cub::BlockMergeSort<short, Threads, Items, int>;
    __shared__ typename Sort::TempStorage memory;
    short k[Items];
    int v[Items];
    cub::LoadDirectBlocked(threadIdx.x, keys, k);
    cub::LoadDirectBlocked(threadIdx.x, values, v);
    Sort(memory).StableSort(k, v, [] __device__(short a, short b) { return a > b; });
    cub::StoreDirectBlocked(threadIdx.x, keys, k);
    cub::StoreDirectBlocked(threadIdx.x, values, v);
}

template <cub::BlockHistogramAlgorithm Algorithm> __device__ void histogram(const unsigned char* in, unsigned* out) {
    using Histogram = cub::BlockHistogram<unsigned char, Threads, Items, 256, Algorithm>;
    __shared__ typename Histogram::TempStorage memory;
    __shared__ unsigned bins[256];
    unsigned char items[Items];
    cub::LoadDirectStriped<Threads>(threadIdx.x, in, items);
    Histogram(memory).Histogram(items, bins);
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += Threads) out[i] = bins[i];
}
extern "C" __global__ void __launch_bounds__(Threads) block_histogram_sort(const unsigned char* in, unsigned* out) {
    histogram<cub::BLOCK_HISTO_SORT>(in, out);
}
extern "C" __global__ void __launch_bounds__(Threads) block_histogram_atomic(const unsigned char* in, unsigned* out) {
    histogram<cub::BLOCK_HISTO_ATOMIC>(in, out);
}

extern "C" __global__ void __launch_bounds__(Threads)
    block_neighbours(const int* in, int* heads, int* differences, int* shifted) {
    using Heads = cub::BlockDiscontinuity<int, Threads>;
    using Difference = cub::BlockAdjacentDifference<int, Threads>;
    using Exchange = cub::BlockExchange<int, Threads, Items>;
    using Shuffle = cub::BlockShuffle<int, Threads>;
    __shared__ union {
        typename Heads::TempStorage heads;
        typename Difference::TempStorage difference;
        typename Exchange::TempStorage exchange;
        typename Shuffle::TempStorage shuffle;
    } memory;
    int items[Items], flags[Items], result[Items];
    cub::LoadDirectStriped<Threads>(threadIdx.x, in, items);
    Exchange(memory.exchange).StripedToBlocked(items, items);
    __syncthreads();
    Heads(memory.heads).FlagHeads(flags, items, cuda::std::not_equal_to<>{});
    __syncthreads();
    Difference(memory.difference).SubtractLeft(items, result, cuda::std::minus<>{});
    __syncthreads();
    int moved[Items];
    Shuffle(memory.shuffle).Up(items, moved);
    if (threadIdx.x == 0) moved[0] = -1;
    cub::StoreDirectBlocked(threadIdx.x, heads, flags);
    cub::StoreDirectBlocked(threadIdx.x, differences, result);
    cub::StoreDirectBlocked(threadIdx.x, shifted, moved);
}

extern "C" __global__ void __launch_bounds__(Threads) warp_collectives(const int* in, int* out, short* small) {
    using Scan = cub::WarpScan<int>;
    using Eight = cub::WarpReduce<int, 8>;
    using Sort = cub::WarpMergeSort<short, 2, 16>;
    __shared__ typename Scan::TempStorage scans[4];
    __shared__ typename Eight::TempStorage reductions[16];
    __shared__ typename Sort::TempStorage sorts[8];
    const int i = threadIdx.x, value = in[i];
    int inclusive, exclusive, total;
    Scan(scans[i / 32]).Scan(value, inclusive, exclusive, Bounded{});
    __syncwarp();
    int before;
    Scan(scans[i / 32]).ExclusiveSum(value, before, total);
    out[5 * i] = inclusive;
    out[5 * i + 1] = i % 32 ? exclusive : 0;
    out[5 * i + 2] = total - before;
    const int sum = Eight(reductions[i / 8]).Sum(value);
    __syncwarp();
    const int head = Eight(reductions[i / 8]).HeadSegmentedSum(value, value % 3 == 0 || i % 8 == 0);
    out[5 * i + 3] = i % 8 ? 0 : sum;
    out[5 * i + 4] = value % 3 == 0 || i % 8 == 0 ? head : 0;
    short pair[2] = {small[2 * i], small[2 * i + 1]};
    Sort(sorts[i / 16]).Sort(pair, cuda::std::less<>{});
    small[2 * i] = pair[0], small[2 * i + 1] = pair[1];
}
