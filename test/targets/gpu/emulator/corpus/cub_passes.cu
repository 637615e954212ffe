// More of CUB's own kernels: radix sort's passes for architectures without onesweep, a transform whose inputs come by
// bulk copies, segments, adjacent differences, and a loop over an index space.

#include <cub/device/device_adjacent_difference.cuh>
#include <cub/device/device_for.cuh>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_segmented_reduce.cuh>
#include <cub/device/device_transform.cuh>

using RadixHub = cub::detail::radix::policy_hub<unsigned, int, unsigned>;

struct Blend {
    float share;
    __device__ float operator()(float a, float b) const { return share * a + (1 - share) * b; }
};
struct Square {
    int* out;
    __device__ void operator()(int i) const { out[i] = i * i; }
};
struct Most {
    __device__ int operator()(int a, int b) const { return a > b ? a : b; }
};

void instantiate(const void** kernels, void* temporary, size_t& bytes, const float* a, const float* b, float* out,
                 const int* in, int* integers, const int* begins, const int* ends, int n) {
    namespace sort = cub::detail::radix_sort;
    constexpr auto up = cub::SortOrder::Ascending;
    kernels[0] = reinterpret_cast<const void*>(
        &sort::DeviceRadixSortUpsweepKernel<RadixHub::MaxPolicy, false, up, unsigned, unsigned>);
    kernels[1] = reinterpret_cast<const void*>(&sort::RadixSortScanBinsKernel<RadixHub::MaxPolicy, unsigned>);
    kernels[2] = reinterpret_cast<const void*>(
        &sort::DeviceRadixSortDownsweepKernel<RadixHub::MaxPolicy, false, up, unsigned, int, unsigned>);
    cub::DeviceTransform::Transform(cuda::std::make_tuple(a, b), out, n, Blend{0.5f});
    cub::DeviceSegmentedReduce::Reduce(temporary, bytes, in, integers, n, begins, ends, Most{}, -1);
    cub::DeviceAdjacentDifference::SubtractLeftCopy(temporary, bytes, in, integers, n);
    cub::DeviceFor::Bulk(n, Square{integers});
}

using Active = RadixHub::MaxPolicy::ActivePolicy;
using ForHub = cub::detail::for_each::policy_hub_t::MaxPolicy::ActivePolicy::for_policy_t;
using DifferenceHub = cub::detail::adjacent_difference::policy_hub<const int*, false>::MaxPolicy::ActivePolicy;
extern "C" __device__ int downsweep_items = Active::DownsweepPolicy::ITEMS_PER_THREAD;
extern "C" __device__ int radix_bits_items = Active::DownsweepPolicy::RADIX_BITS;
extern "C" __device__ int bulk_items = ForHub::items_per_thread;
extern "C" __device__ int difference_items = DifferenceHub::AdjacentDifferencePolicy::ITEMS_PER_THREAD;
extern "C" __device__ int difference_block_items = DifferenceHub::AdjacentDifferencePolicy::BLOCK_THREADS;
