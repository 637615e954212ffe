// CUB's own device-wide kernels: the calls below make nvcc instantiate them, with CUB's tuning for this architecture.
// The host code never runs; a test launches the kernels as CUB's dispatch would. How many items a thread takes is the
// tuning's, so the module tells it.

#include <cub/device/device_histogram.cuh>
#include <cub/device/device_merge_sort.cuh>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_run_length_encode.cuh>
#include <cub/device/device_scan.cuh>
#include <cub/device/device_select.cuh>

void instantiate(void* temporary, size_t& bytes, const int* in, int* out, unsigned* keys, unsigned* sorted, int* count,
                 const unsigned char* samples, int n) {
    cub::DeviceScan::ExclusiveSum(temporary, bytes, in, out, n);
    cub::DeviceReduce::Sum(temporary, bytes, in, out, n);
    cub::DeviceReduce::ReduceByKey(temporary, bytes, in, out, in, out, count, cuda::std::plus<>{}, n);
    cub::DeviceRadixSort::SortPairs(temporary, bytes, keys, sorted, in, out, n);
    cub::DeviceHistogram::HistogramEven(temporary, bytes, samples, count, 257, 0, 256, n);
    cub::DeviceSelect::Flagged(temporary, bytes, in, samples, out, count, n);
    cub::DeviceRunLengthEncode::Encode(temporary, bytes, in, out, out, count, n);
    cub::DeviceMergeSort::SortKeys(temporary, bytes, out, n, cuda::std::less<>{});
}

namespace detail = cub::detail;
using Plus = cuda::std::plus<>;

#define ITEMS(name, hub, policy, of) extern "C" __device__ int name##_items = hub::MaxPolicy::ActivePolicy::policy::of
using ScanHub = detail::scan::policy_hub<int, int, int, unsigned, Plus>;
using ReduceHub = detail::reduce::policy_hub<int, unsigned, Plus>;
using ByKeyHub = detail::reduce_by_key::policy_hub<Plus, int, int>;
using RadixHub = detail::radix::policy_hub<unsigned, int, unsigned>;
using HistogramHub = detail::histogram::policy_hub<unsigned char, int, 1, 1, true>;
using SelectHub = detail::select::policy_hub<int, unsigned char, int, false, cub::SelectImpl::Select>;
using EncodeHub = detail::rle::encode::policy_hub<int, int>;
using MergeHub = detail::merge_sort::policy_hub<int*>;

ITEMS(scan, ScanHub, ScanPolicyT, ITEMS_PER_THREAD);
ITEMS(reduce, ReduceHub, ReducePolicy, ITEMS_PER_THREAD);
ITEMS(by_key, ByKeyHub, ReduceByKeyPolicyT, ITEMS_PER_THREAD);
ITEMS(onesweep, RadixHub, OnesweepPolicy, ITEMS_PER_THREAD);
ITEMS(single_tile, RadixHub, SingleTilePolicy, ITEMS_PER_THREAD);
ITEMS(radix_bits, RadixHub, OnesweepPolicy, RADIX_BITS);
ITEMS(histogram, HistogramHub, AgentHistogramPolicyT, PIXELS_PER_THREAD);
ITEMS(select, SelectHub, SelectIfPolicyT, ITEMS_PER_THREAD);
ITEMS(encode, EncodeHub, ReduceByKeyPolicyT, ITEMS_PER_THREAD);
ITEMS(merge, MergeHub, MergeSortPolicy, ITEMS_PER_THREAD);
