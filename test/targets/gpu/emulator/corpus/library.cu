// What programs take from the language and its library: the heap, standard types, block-wide votes, atomics on vectors
// of floats, dependent launches, address spaces, hints for caches, functions of half.

#include <cuda/std/array>
#include <cuda/std/bit>
#include <cuda/std/cmath>
#include <cuda/std/complex>
#include <cuda/std/optional>
#include <cuda/std/variant>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

struct Node {
    int value;
    Node* next;
};

// Each thread builds a list on the heap, reverses it, sums it with weights, and frees it.
extern "C" __global__ void heap_lists(const int* length, long long* out) {
    const int n = length[threadIdx.x];
    Node* head = nullptr;
    for (int i = 0; i < n; ++i) head = new Node{i * 3 + static_cast<int>(threadIdx.x), head};
    Node* reversed = nullptr;
    while (head != nullptr) {
        Node* next = head->next;
        head->next = reversed;
        reversed = head;
        head = next;
    }
    long long sum = 0;
    for (int at = 1; reversed != nullptr; ++at) {
        sum += static_cast<long long>(at) * reversed->value;
        Node* next = reversed->next;
        delete reversed;
        reversed = next;
    }
    out[threadIdx.x] = sum;
}

extern "C" __global__ void block_votes(const int* in, int* out) {
    const int i = threadIdx.x, value = in[i];
    out[3 * i] = __syncthreads_count(value > 50);
    out[3 * i + 1] = __syncthreads_and(value >= 0);
    out[3 * i + 2] = __syncthreads_or(value == 77);
}

extern "C" __global__ void vector_atomics(__half2* h, __nv_bfloat162* b, float2* two, float4* four,
                                          unsigned short* narrow, double* d) {
    const int i = threadIdx.x;
    atomicAdd(h, __floats2half2_rn(1.0f, 0.5f));
    atomicAdd(b, __floats2bfloat162_rn(1.0f, -1.0f));
    atomicAdd(two, make_float2(1.0f, static_cast<float>(i)));
    atomicAdd(four, make_float4(1.0f, 2.0f, 3.0f, static_cast<float>(i)));
    unsigned short seen = *reinterpret_cast<volatile unsigned short*>(narrow), expected;
    do {
        expected = seen;
        seen = atomicCAS(narrow, expected, static_cast<unsigned short>(expected + 3));
    } while (seen != expected);
    atomicMin(reinterpret_cast<long long*>(d), 5ll - i);
    atomicExch(reinterpret_cast<float*>(d + 1), 2.5f);
    atomicInc(reinterpret_cast<unsigned*>(d + 2), 9u);
    atomicDec(reinterpret_cast<unsigned*>(d + 3), 6u);
}

// Programmatic dependent launch: without a launch before, both are over at once.
extern "C" __global__ void dependent(int* out) {
    cudaGridDependencySynchronize();
    out[threadIdx.x] = static_cast<int>(threadIdx.x) * 2;
    cudaTriggerProgrammaticLaunchCompletion();
}

__constant__ int constants[4] = {4, 5, 6, 7};

extern "C" __global__ void address_spaces(int* in, unsigned* out, int* hinted) {
    __shared__ int shared[32];
    int local[4] = {in[0], in[1], in[2], in[3]};
    const int i = threadIdx.x;
    shared[i] = in[i];
    int* where = i % 3 == 0 ? shared + i : i % 3 == 1 ? in + i : local + i % 4;
    out[2 * i] = __isShared(where) + 2 * __isGlobal(where) + 4 * __isLocal(where) + 8 * __isConstant(&constants[i % 4]);
    out[2 * i + 1] = static_cast<unsigned>(*where);
    unsigned long long policy;
    int value, other;
    asm volatile("prefetch.global.L2 [%0];" ::"l"(in + i));
    asm volatile("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
    asm volatile("ld.global.L2::cache_hint.s32 %0, [%1], %2;" : "=r"(value) : "l"(in + i), "l"(policy));
    asm volatile("ld.global.L1::no_allocate.L2::128B.s32 %0, [%1];" : "=r"(other) : "l"(in + i));
    asm volatile("st.global.L1::evict_first.s32 [%0], %1;" ::"l"(hinted + i),
                 "r"(value + other + __ldlu(&in[i]) + constants[i % 4])
                 : "memory");
}

extern "C" __global__ void standard_types(const float* x, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const cuda::std::complex<float> z(x[i], 1.0f);
    const auto w = z * z / cuda::std::complex<float>(2.0f, -1.0f);
    cuda::std::array<float, 8> values{};
    for (int j = 0; j < 8; ++j) values[(j * 5 + i) % 8] = x[(i + j) % n];
    cuda::std::optional<float> positive;
    for (const float v : values)
        if (v > 0 && (!positive || v < *positive)) positive = v;
    const cuda::std::variant<int, float> either =
        x[i] < 0 ? cuda::std::variant<int, float>(i) : cuda::std::variant<int, float>(x[i]);
    const float kind =
        cuda::std::visit([](auto v) { return static_cast<float>(v) + static_cast<float>(sizeof(v) == 4); }, either);
    float* o = out + 5 * i;
    o[0] = w.real(), o[1] = w.imag(), o[2] = positive.value_or(-1.0f), o[3] = kind;
    o[4] = static_cast<float>(cuda::std::popcount(static_cast<unsigned>(i)) +
                              cuda::std::countl_zero(static_cast<unsigned>(i)));
}

// Memory on the stack whose size comes at run time, and copies of blocks of bytes.
extern "C" __global__ void stack_memory(const unsigned char* in, unsigned* out, int n) {
    const int size = n - static_cast<int>(threadIdx.x) % 8;
    auto* bytes = static_cast<unsigned char*>(alloca(size));
    memcpy(bytes, in + threadIdx.x % 8, size);
    memset(bytes, 7, 3);
    unsigned hash = 0;
    for (int i = 0; i < size; ++i) hash = hash * 31 + bytes[i];
    out[threadIdx.x] = hash;
}

extern "C" __global__ void half_functions(const __half2* x, __half2* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const __half2 v = x[i];
    __half2* o = out + 8 * i;
    o[0] = h2exp(v), o[1] = h2log(__habs2(v)), o[2] = h2sin(v), o[3] = h2sqrt(__habs2(v));
    o[4] = h2rcp(v), o[5] = h2exp2(v), o[6] = h2tanh(v), o[7] = h2rint(v);
}
