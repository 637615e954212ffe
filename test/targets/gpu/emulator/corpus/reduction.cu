// Sums and maxima: shuffles inside a warp, shared memory between warps, atomics or a last block between CTAs.

__device__ __forceinline__ float warp_sum(float value) {
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(0xffffffffu, value, offset);
    return value;
}

// out[block] = sum of the elements that the block visits in a grid-stride loop. Any block size up to 1024.
extern "C" __global__ void reduce_shuffle(const float* in, float* out, int n) {
    __shared__ float partial[32];
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i];
    sum = warp_sum(sum);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (blockDim.x + 31) / 32;
    if (lane == 0) partial[warp] = sum;
    __syncthreads();
    if (warp == 0) {
        sum = warp_sum(lane < warps ? partial[lane] : 0.0f);
        if (lane == 0) out[blockIdx.x] = sum;
    }
}

// One row a warp: maximum by butterfly and where it stands first.
extern "C" __global__ void argmax_rows(const float* in, int* where, float* top, int rows, int columns) {
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;
    float best = -__int_as_float(0x7f800000);
    int at = 0x7fffffff;
    for (int c = lane; c < columns; c += 32) {
        const float value = in[row * columns + c];
        if (value > best) best = value, at = c;
    }
    for (int offset = 16; offset > 0; offset /= 2) {
        const float other = __shfl_xor_sync(0xffffffffu, best, offset);
        const int its = __shfl_xor_sync(0xffffffffu, at, offset);
        if (other > best || (other == best && its < at)) best = other, at = its;
    }
    if (lane == 0) where[row] = at, top[row] = best;
}

// All of it by warp reductions in hardware and one atomic a warp.
extern "C" __global__ void reduce_redux(const int* in, int* sum, int* low, unsigned* bits, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const unsigned active = __ballot_sync(0xffffffffu, i < n);
    if (i >= n) return;
    const int total = __reduce_add_sync(active, in[i]);
    const int least = __reduce_min_sync(active, in[i]);
    const unsigned all = __reduce_or_sync(active, static_cast<unsigned>(in[i]));
    if ((threadIdx.x & 31) == __ffs(active) - 1) {
        atomicAdd(sum, total);
        atomicMin(low, least);
        atomicOr(bits, all);
    }
}

// The CTA that comes last adds the others' sums, in their order: the result does not depend on who is last.
__device__ unsigned arrived = 0;

extern "C" __global__ void reduce_last_block(const double* in, double* partial, double* out, int n) {
    extern __shared__ double values[];
    __shared__ bool last;
    double sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i];
    values[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = values[0];
        __threadfence();
        last = atomicInc(&arrived, gridDim.x - 1) == gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        double total = 0;
        for (unsigned b = 0; b < gridDim.x; ++b) total += partial[b];
        *out = total;
    }
}
