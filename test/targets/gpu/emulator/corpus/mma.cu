// Matrix instructions of a warp: wmma fragments, mma.sync in inline PTX, ldmatrix, stmatrix, movmatrix.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda;

// C = A B, A row-major, B column-major; a warp makes 16x16 of C.
template <class In, class Accumulator>
__device__ void wmma_gemm(const In* a, const In* b, Accumulator* c, int n, int k) {
    const int row = blockIdx.y * 16, column = (blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32) * 16;
    wmma::fragment<wmma::matrix_a, 16, 16, 16, In, wmma::row_major> fa;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, In, wmma::col_major> fb;
    wmma::fragment<wmma::accumulator, 16, 16, 16, Accumulator> fc;
    wmma::fill_fragment(fc, static_cast<Accumulator>(0));
    for (int i = 0; i < k; i += 16) {
        wmma::load_matrix_sync(fa, a + row * k + i, k);
        wmma::load_matrix_sync(fb, b + column * k + i, k);
        wmma::mma_sync(fc, fa, fb, fc);
    }
    wmma::store_matrix_sync(c + row * n + column, fc, n, wmma::mem_row_major);
}

extern "C" __global__ void wmma_f16_f32(const __half* a, const __half* b, float* c, int n, int k) {
    wmma_gemm(a, b, c, n, k);
}
extern "C" __global__ void wmma_f16_f16(const __half* a, const __half* b, __half* c, int n, int k) {
    wmma_gemm(a, b, c, n, k);
}
extern "C" __global__ void wmma_bf16(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int n, int k) {
    wmma_gemm(a, b, c, n, k);
}
extern "C" __global__ void wmma_s8(const signed char* a, const signed char* b, int* c, int n, int k) {
    wmma_gemm(a, b, c, n, k);
}
extern "C" __global__ void wmma_u8(const unsigned char* a, const unsigned char* b, int* c, int n, int k) {
    wmma_gemm(a, b, c, n, k);
}

// Other shapes, layouts, the scaling of a fragment's elements, and B from shared memory.
extern "C" __global__ void wmma_shapes(const __half* a, const __half* b, const float* c, float* d, float alpha) {
    __shared__ __align__(32) __half bs[16 * 32];
    for (int i = threadIdx.x; i < 16 * 32; i += 32) bs[i] = b[i];
    __syncwarp();
    wmma::fragment<wmma::matrix_a, 8, 32, 16, __half, wmma::col_major> fa;
    wmma::fragment<wmma::matrix_b, 8, 32, 16, __half, wmma::row_major> fb;
    wmma::fragment<wmma::accumulator, 8, 32, 16, float> fc;
    wmma::load_matrix_sync(fa, a, 8);
    wmma::load_matrix_sync(fb, bs, 32);
    wmma::load_matrix_sync(fc, c, 8, wmma::mem_col_major);
    for (int i = 0; i < fc.num_elements; ++i) fc.x[i] *= alpha;
    wmma::mma_sync(fc, fa, fb, fc);
    wmma::store_matrix_sync(d, fc, 32, wmma::mem_row_major);
}

extern "C" __global__ void wmma_tf32(const float* a, const float* b, float* c) {
    wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> fa;
    wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::row_major> fb;
    wmma::fragment<wmma::accumulator, 16, 16, 8, float> fc;
    wmma::fill_fragment(fc, 0.0f);
    for (int i = 0; i < 32; i += 8) {
        wmma::load_matrix_sync(fa, a + i, 32);
        wmma::load_matrix_sync(fb, b + i * 16, 16);
        for (int j = 0; j < fa.num_elements; ++j) fa.x[j] = wmma::__float_to_tf32(fa.x[j]);
        for (int j = 0; j < fb.num_elements; ++j) fb.x[j] = wmma::__float_to_tf32(fb.x[j]);
        wmma::mma_sync(fc, fa, fb, fc);
    }
    wmma::store_matrix_sync(c, fc, 16, wmma::mem_row_major);
}

extern "C" __global__ void wmma_f64(const double* a, const double* b, double* c) {
    wmma::fragment<wmma::matrix_a, 8, 8, 4, double, wmma::row_major> fa;
    wmma::fragment<wmma::matrix_b, 8, 8, 4, double, wmma::col_major> fb;
    wmma::fragment<wmma::accumulator, 8, 8, 4, double> fc;
    wmma::load_matrix_sync(fc, c, 8, wmma::mem_row_major);
    for (int i = 0; i < 16; i += 4) {
        wmma::load_matrix_sync(fa, a + i, 16);
        wmma::load_matrix_sync(fb, b + i, 16);
        wmma::mma_sync(fc, fa, fb, fc);
    }
    wmma::store_matrix_sync(c, fc, 8, wmma::mem_row_major);
}

__device__ __forceinline__ unsigned shared_address(const void* at) {
    return static_cast<unsigned>(__cvta_generic_to_shared(at));
}

// One 16x8 tile of C by one warp, with fragments laid out by hand: A and B are rows of `words` 32-bit words of k (B is
// given as its columns). Row g = lane / 4, word t = lane % 4 of each fragment register.
template <int StepWords, class Step>
__device__ void fragments(const unsigned* a, const unsigned* b, int words, Step step) {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    for (int base = 0; base < words; base += StepWords) {
        unsigned fa[4], fb[2];
        fa[0] = a[g * words + base + t], fa[1] = a[(g + 8) * words + base + t];
        fa[2] = a[g * words + base + t + 4], fa[3] = a[(g + 8) * words + base + t + 4];
        fb[0] = b[g * words + base + t], fb[1] = b[g * words + base + t + 4];
        step(fa, fb);
    }
}

template <class T> __device__ void store_tile(T* c, const T* d) {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    c[g * 8 + 2 * t] = d[0], c[g * 8 + 2 * t + 1] = d[1], c[(g + 8) * 8 + 2 * t] = d[2],
                  c[(g + 8) * 8 + 2 * t + 1] = d[3];
}

#define MMA_F32(name, shape, types)                                                              \
    extern "C" __global__ void name(const unsigned* a, const unsigned* b, float* c, int words) { \
        float d[4] = {};                                                                         \
        fragments<8>(a, b, words, [&](const unsigned* x, const unsigned* y) {                    \
            asm volatile("mma.sync.aligned." shape ".row.col.f32." types                         \
                         ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"            \
                         : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                        \
                         : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));    \
        });                                                                                      \
        store_tile(c, d);                                                                        \
    }
#define MMA_S32(name, shape, types)                                                            \
    extern "C" __global__ void name(const unsigned* a, const unsigned* b, int* c, int words) { \
        int d[4] = {};                                                                         \
        fragments<8>(a, b, words, [&](const unsigned* x, const unsigned* y) {                  \
            asm volatile("mma.sync.aligned." shape ".row.col." types                           \
                         " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"              \
                         : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])                      \
                         : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));  \
        });                                                                                    \
        store_tile(c, d);                                                                      \
    }

MMA_F32(mma_f16, "m16n8k16", "f16.f16")
MMA_F32(mma_bf16, "m16n8k16", "bf16.bf16")
MMA_F32(mma_tf32, "m16n8k8", "tf32.tf32")
#if __CUDA_ARCH__ >= 890
MMA_F32(mma_e4m3, "m16n8k32", "e4m3.e4m3")
MMA_F32(mma_e5m2_e4m3, "m16n8k32", "e5m2.e4m3")
#endif
MMA_S32(mma_s8, "m16n8k32", "s32.s8.s8.s32")
MMA_S32(mma_u8_s8, "m16n8k32", "s32.u8.s8.s32")
MMA_S32(mma_s8_saturated, "m16n8k32", "satfinite.s32.s8.s8.s32")
MMA_S32(mma_s4, "m16n8k64", "s32.s4.s4.s32")
MMA_S32(mma_b1, "m16n8k256", "s32.b1.b1.s32.and.popc")

// f16 throughout: the accumulator is two registers of pairs.
extern "C" __global__ void mma_f16_f16(const unsigned* a, const unsigned* b, __half2* c, int words) {
    unsigned d[2] = {};
    fragments<8>(a, b, words, [&](const unsigned* x, const unsigned* y) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};"
                     : "+r"(d[0]), "+r"(d[1]) : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
    });
    const int g = threadIdx.x / 4, t = threadIdx.x % 4;
    c[g * 4 + t] = *reinterpret_cast<__half2*>(&d[0]), c[(g + 8) * 4 + t] = *reinterpret_cast<__half2*>(&d[1]);
}

extern "C" __global__ void mma_f64(const double* a, const double* b, double* c) {
    const int g = threadIdx.x / 4, t = threadIdx.x % 4;
    double d[2] = {};
    for (int i = 0; i < 16; i += 4)
        asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
                     : "+d"(d[0]), "+d"(d[1]) : "d"(a[g * 16 + i + t]), "d"(b[g * 16 + i + t]));
    c[g * 8 + 2 * t] = d[0], c[g * 8 + 2 * t + 1] = d[1];
}

#if __CUDA_ARCH__ >= 900
// C = A B with 64x64 of C by four warps: tiles in shared memory whose 16-byte pieces are swizzled by XOR, ldmatrix
// (transposing for B, which is row-major), and stmatrix on the way out.
extern "C" __global__ void __launch_bounds__(128)
    gemm_ldmatrix(const uint4* a, const uint4* b, uint4* c, int n, int k) {
    __shared__ __align__(128) uint4 as[64 * 4], bs[32 * 8], cs[64 * 8];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, rows = (warp / 2) * 32, columns = (warp % 2) * 32;
    float d[2][4][4] = {};
    for (int base = 0; base < k; base += 32) {
        for (int i = threadIdx.x; i < 64 * 4; i += 128) {
            const int r = i / 4, q = i % 4;
            as[r * 4 + (q ^ ((r / 2) % 4))] = a[((blockIdx.y * 64 + r) * k + base) / 8 + q];
        }
        for (int i = threadIdx.x; i < 32 * 8; i += 128) {
            const int r = i / 8, q = i % 8;
            bs[r * 8 + (q ^ (r % 8))] = b[((base + r) * n + blockIdx.x * 64) / 8 + q];
        }
        __syncthreads();
        for (int step = 0; step < 32; step += 16) {
            unsigned x[2][4], y[4][2];
            for (int m = 0; m < 2; ++m) {
                const int r = rows + m * 16 + lane % 16, q = step / 8 + lane / 16;
                asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                             : "=r"(x[m][0]), "=r"(x[m][1]), "=r"(x[m][2]), "=r"(x[m][3])
                             : "r"(shared_address(&as[r * 4 + (q ^ ((r / 2) % 4))])));
            }
            for (int p = 0; p < 2; ++p) {
                const int r = step + lane % 16, q = columns / 8 + 2 * p + lane / 16;
                asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                             : "=r"(y[2 * p][0]), "=r"(y[2 * p][1]), "=r"(y[2 * p + 1][0]), "=r"(y[2 * p + 1][1])
                             : "r"(shared_address(&bs[r * 8 + (q ^ (r % 8))])));
            }
            for (int m = 0; m < 2; ++m)
                for (int i = 0; i < 4; ++i)
                    asm volatile(
                        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                        "{%0,%1,%2,%3};"
                        : "+f"(d[m][i][0]), "+f"(d[m][i][1]), "+f"(d[m][i][2]), "+f"(d[m][i][3])
                        : "r"(x[m][0]), "r"(x[m][1]), "r"(x[m][2]), "r"(x[m][3]), "r"(y[i][0]), "r"(y[i][1]));
        }
        __syncthreads();
    }
    for (int m = 0; m < 2; ++m)
        for (int p = 0; p < 2; ++p) {
            unsigned w[4];
            for (int h = 0; h < 4; ++h) {
                const __nv_bfloat162 pair =
                    __floats2bfloat162_rn(d[m][2 * p + h / 2][2 * (h % 2)], d[m][2 * p + h / 2][2 * (h % 2) + 1]);
                w[h] = *reinterpret_cast<const unsigned*>(&pair);
            }
            const int r = rows + m * 16 + lane % 16, q = columns / 8 + 2 * p + lane / 16;
            asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(
                             shared_address(&cs[r * 8 + (q ^ (r % 8))])),
                         "r"(w[0]), "r"(w[1]), "r"(w[2]), "r"(w[3])
                         : "memory");
        }
    __syncthreads();
    for (int i = threadIdx.x; i < 64 * 8; i += 128) {
        const int r = i / 8, q = i % 8;
        c[((blockIdx.y * 64 + r) * n + blockIdx.x * 64) / 8 + q] = cs[r * 8 + (q ^ (r % 8))];
    }
}

// 8x8 of 16 bits transposed three ways: ldmatrix, stmatrix and movmatrix.
extern "C" __global__ void matrix_moves(const unsigned short* in, unsigned short* out) {
    __shared__ __align__(16) unsigned short from[64], to[64];
    const int lane = threadIdx.x;
    for (int i = lane; i < 64; i += 32) from[i] = in[i];
    __syncwarp();
    unsigned plain, turned, moved;
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(plain)
                 : "r"(shared_address(&from[lane % 8 * 8])));
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(turned)
                 : "r"(shared_address(&from[lane % 8 * 8])));
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(moved) : "r"(plain));
    asm volatile("stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%0], {%1};" ::"r"(shared_address(&to[lane % 8 * 8])),
                 "r"(plain)
                 : "memory");
    __syncwarp();
    for (int i = lane; i < 64; i += 32) out[i] = to[i];
    unsigned* words = reinterpret_cast<unsigned*>(out + 64);
    words[lane] = turned, words[32 + lane] = moved, words[64 + lane] = plain;
}
#endif
