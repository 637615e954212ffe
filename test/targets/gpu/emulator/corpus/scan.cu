// Prefix sums: a block's, and one pass over all with decoupled look-back, where a CTA waits for those before it.

__device__ __forceinline__ int warp_inclusive(int value) {
    const int lane = threadIdx.x % 32;
    for (int offset = 1; offset < 32; offset *= 2) {
        const int other = __shfl_up_sync(0xffffffffu, value, offset);
        if (lane >= offset) value += other;
    }
    return value;
}

__device__ int block_inclusive(int value, int* sums) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    value = warp_inclusive(value);
    if (lane == 31) sums[warp] = value;
    __syncthreads();
    if (warp == 0) {
        const int sum = warp_inclusive(lane < warps ? sums[lane] : 0);
        if (lane < warps) sums[lane] = sum;
    }
    __syncthreads();
    return value + (warp > 0 ? sums[warp - 1] : 0);
}

extern "C" __global__ void scan_block(const int* in, int* out) {
    __shared__ int sums[32];
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    out[i] = block_inclusive(in[i], sums);
}

// Blelloch's up and down sweep, n a power of two, two elements a thread.
extern "C" __global__ void scan_sweeps(const float* in, float* out, int n) {
    extern __shared__ float tree[];
    const int t = threadIdx.x;
    tree[2 * t] = in[2 * t], tree[2 * t + 1] = in[2 * t + 1];
    int stride = 1;
    for (int pairs = n / 2; pairs > 0; pairs /= 2, stride *= 2) {
        __syncthreads();
        if (t < pairs) tree[stride * (2 * t + 2) - 1] += tree[stride * (2 * t + 1) - 1];
    }
    if (t == 0) tree[n - 1] = 0;
    for (int pairs = 1; pairs < n; pairs *= 2) {
        stride /= 2;
        __syncthreads();
        if (t < pairs) {
            const float left = tree[stride * (2 * t + 1) - 1];
            tree[stride * (2 * t + 1) - 1] = tree[stride * (2 * t + 2) - 1];
            tree[stride * (2 * t + 2) - 1] += left;
        }
    }
    __syncthreads();
    out[2 * t] = tree[2 * t], out[2 * t + 1] = tree[2 * t + 1];
}

// One 64-bit word a tile: the state in the upper half (0 nothing, 1 the tile's own sum, 2 with all before it).
// Tiles are numbered in the order in which CTAs begin, so that those waited for are running.
extern "C" __global__ void scan_lookback(const int* in, int* out, unsigned long long* states, unsigned* ticket, int n) {
    __shared__ int sums[32];
    __shared__ int before, tile;
    if (threadIdx.x == 0) tile = static_cast<int>(atomicAdd(ticket, 1u));
    __syncthreads();
    const int i = tile * blockDim.x + threadIdx.x;
    const int inclusive = block_inclusive(i < n ? in[i] : 0, sums);
    if (threadIdx.x == blockDim.x - 1) {
        const unsigned flag = tile == 0 ? 2 : 1;
        atomicExch(&states[tile], (static_cast<unsigned long long>(flag) << 32) | static_cast<unsigned>(inclusive));
    }
    if (threadIdx.x < 32) {
        // A warp looks at 32 tiles at once, from the nearest back.
        int sum = 0;
        for (int end = tile - 1; end >= 0; end -= 32) {
            const int at = end - static_cast<int>(threadIdx.x);
            unsigned flag = 2;
            int value = 0;
            if (at >= 0) {
                unsigned long long word;
                do {
                    word = *reinterpret_cast<volatile unsigned long long*>(&states[at]);
                    flag = static_cast<unsigned>(word >> 32);
                } while (flag == 0);
                value = static_cast<int>(word & 0xffffffffu);
            }
            const unsigned full = __ballot_sync(0xffffffffu, flag == 2);
            const int nearest = __ffs(full) - 1;
            if (full && static_cast<int>(threadIdx.x) > nearest) value = 0;
            for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
            sum += value;
            if (full) break;
        }
        if (threadIdx.x == 0) before = sum;
    }
    __syncthreads();
    if (tile > 0 && threadIdx.x == blockDim.x - 1)
        atomicExch(&states[tile], (2ull << 32) | static_cast<unsigned>(before + inclusive));
    if (i < n) out[i] = before + inclusive;
}
