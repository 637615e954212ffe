// Counting bytes: atomics in shared memory, in global memory, and one atomic for all equal lanes of a warp.

extern "C" __global__ void histogram_shared(const unsigned char* in, unsigned* bins, int n) {
    __shared__ unsigned mine[256];
    for (int b = threadIdx.x; b < 256; b += blockDim.x) mine[b] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[in[i]], 1u);
    __syncthreads();
    for (int b = threadIdx.x; b < 256; b += blockDim.x)
        if (mine[b]) atomicAdd(&bins[b], mine[b]);
}

extern "C" __global__ void histogram_global(const unsigned char* in, unsigned long long* bins, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&bins[in[i]], 1ull);
}

extern "C" __global__ void histogram_matched(const unsigned char* in, unsigned* bins, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        const unsigned char value = in[i];
        const unsigned peers = __match_any_sync(__activemask(), value);
        if ((threadIdx.x & 31) == 31 - __clz(peers)) atomicAdd(&bins[value], __popc(peers));
    }
}

// Where each key would be put in a table of open addresses: compare-and-swap loops that diverge.
extern "C" __global__ void hash_insert(const unsigned* keys, unsigned* table, unsigned* slots, int n, unsigned size) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned slot = (keys[i] * 2654435761u) % size;
    while (true) {
        const unsigned seen = atomicCAS(&table[slot], 0xffffffffu, keys[i]);
        if (seen == 0xffffffffu || seen == keys[i]) break;
        slot = slot + 1 == size ? 0 : slot + 1;
    }
    slots[i] = slot;
}
