// What a module holds beside code: printf, assert, variables with initializers, structs by value, dynamic memory.

#include <cassert>
#include <cstdio>

struct Inner {
    short tag;
    double weight;
};
struct Params {
    int count;
    float scale[3];
    Inner inner[2];
    const int* table;
    char letter;
};

__constant__ int primes[8] = {2, 3, 5, 7, 11, 13, 17, 19};
__constant__ Inner constant_inner = {-3, 0.125};
__device__ float start[4] = {1.5f, -2.0f, 3.25f};
__device__ int counter = 100;
__device__ const char* words[3] = {"none", "one", "many"};
__device__ int grid_2d[2][3] = {{1, 2, 3}, {4, 5, 6}};
__device__ int* inside = &grid_2d[1][1];
struct Node { int value; const Node* next; };
__device__ Node third = {30, nullptr};
__device__ Node second = {20, &third};
__device__ Node first = {10, &second};

extern "C" __global__ void variables(int* out, float* fout) {
    const int i = threadIdx.x;
    out[i] = primes[i % 8] + constant_inner.tag + grid_2d[i % 2][i % 3] + *inside * 1000;
    fout[i] = start[i % 4] + static_cast<float>(constant_inner.weight);
    atomicAdd(&counter, i);
    const Node* node = &first;
    for (int step = 0; step < i % 3; ++step) node = node->next;
    out[32 + i] = node->value;
    const char* word = words[i % 3];
    int length = 0;
    while (word[length]) ++length;
    out[64 + i] = length * 256 + word[0];
}

extern "C" __global__ void by_value(const Params p, double* out, int3 offset, char tail) {
    const int i = threadIdx.x;
    const Inner& inner = p.inner[i % 2];
    out[i] = p.count + p.scale[i % 3] * inner.weight + inner.tag + p.table[i] + p.letter + offset.x * 100 +
             offset.y * 10 + offset.z + tail;
}

__device__ __noinline__ Params change(Params p, int by) {
    p.count += by;
    p.inner[by % 2].tag = static_cast<short>(by);
    p.scale[by % 3] *= 2;
    return p;
}
extern "C" __global__ void struct_calls(const Params p, float* out) {
    const int i = threadIdx.x;
    const Params q = change(change(p, i), i + 1);
    out[i] = static_cast<float>(q.count) + q.scale[0] + 10 * q.scale[1] + 100 * q.scale[2] + q.inner[0].tag * 1000 +
             q.inner[1].tag * 10000;
}

extern "C" __global__ void say(const double* x) {
    const int i = threadIdx.x;
    if (i < 3)
        printf("thread %d of %u: %5.2f %s %c %#x %lld%%\n", i, blockDim.x, x[i], words[i % 3], 'a' + i, i * 255,
               1ll << (40 + i));
    if (i == 5) printf("no arguments\n");
}

extern "C" __global__ void check(const int* x, int limit) {
    assert(x[threadIdx.x] < limit && "too large");
}

// A struct in local memory with an address that escapes, byte accesses, and an array indexed by data.
extern "C" __global__ void local_memory(const unsigned char* in, unsigned* out, int n) {
    unsigned char bytes[64];
    unsigned counts[16] = {};
    for (int i = 0; i < n; ++i) bytes[i] = in[(i * 7 + threadIdx.x) % n];
    for (int i = 0; i < n; ++i) counts[bytes[i] & 15] += bytes[(i + 1) % n];
    unsigned hash = 0;
    for (int i = 0; i < 16; ++i) hash = hash * 31 + counts[(i * 5 + threadIdx.x) & 15];
    out[threadIdx.x] = hash;
}

// Several arrays in one piece of dynamic shared memory.
extern "C" __global__ void dynamic_shared(const double* d, const short* s, double* out, int n) {
    extern __shared__ __align__(16) unsigned char memory[];
    double* doubles = reinterpret_cast<double*>(memory);
    short* shorts = reinterpret_cast<short*>(memory + 8 * n);
    unsigned size, all;
    asm volatile("mov.u32 %0, %%dynamic_smem_size;" : "=r"(size));
    asm volatile("mov.u32 %0, %%total_smem_size;" : "=r"(all));
    doubles[threadIdx.x] = d[threadIdx.x], shorts[threadIdx.x] = s[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = doubles[n - 1 - threadIdx.x] * shorts[(threadIdx.x + 1) % n] + (all >= size ? size : 0);
}

extern "C" __global__ void three_dimensions(int* out) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y,
              z = blockIdx.z * blockDim.z + threadIdx.z;
    const int width = gridDim.x * blockDim.x, height = gridDim.y * blockDim.y;
    out[(z * height + y) * width + x] = x + 100 * y + 10000 * z;
}
