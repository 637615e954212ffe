// Conversions between narrow formats: each kernel takes all 65,536 patterns of its input, a thread a pattern.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#define PATTERN const unsigned i = blockIdx.x * blockDim.x + threadIdx.x; if (i > 0xffff) return

__device__ __forceinline__ __half as_half(unsigned bits) { return __ushort_as_half(static_cast<unsigned short>(bits)); }
__device__ __forceinline__ __nv_bfloat16 as_bf16(unsigned bits) {
    return __ushort_as_bfloat16(static_cast<unsigned short>(bits));
}

extern "C" __global__ void half_to_floats(unsigned* single, unsigned long long* twice, unsigned short* bf16) {
    PATTERN;
    single[i] = __float_as_uint(__half2float(as_half(i)));
    double wide;
    asm("cvt.f64.f16 %0, %1;" : "=d"(wide) : "h"(static_cast<unsigned short>(i)));
    twice[i] = __double_as_longlong(wide);
    bf16[i] = __bfloat16_as_ushort(__float2bfloat16(__half2float(as_half(i))));
}

extern "C" __global__ void half_to_integers(int* out, unsigned* uout, long long* wide, short* narrow) {
    PATTERN;
    const __half h = as_half(i);
    out[4 * i] = __half2int_rn(h), out[4 * i + 1] = __half2int_rz(h);
    out[4 * i + 2] = __half2int_rd(h), out[4 * i + 3] = __half2int_ru(h);
    uout[i] = __half2uint_rn(h);
    wide[i] = __half2ll_rz(h);
    narrow[i] = __half2short_rn(h);
}

extern "C" __global__ void integers_to_half(unsigned short* out, unsigned short* bf16) {
    PATTERN;
    const int spread = static_cast<int>(i * 65537u) >> 3;
    out[5 * i] = __half_as_ushort(__short2half_rn(static_cast<short>(i)));
    out[5 * i + 1] = __half_as_ushort(__ushort2half_rn(static_cast<unsigned short>(i)));
    out[5 * i + 2] = __half_as_ushort(__int2half_rn(static_cast<int>(i) - 32768));
    out[5 * i + 3] = __half_as_ushort(__int2half_rz(static_cast<int>(i) * 3));
    out[5 * i + 4] = __half_as_ushort(__uint2half_ru(i));
    bf16[2 * i] = __bfloat16_as_ushort(__ushort2bfloat16_rn(static_cast<unsigned short>(i)));
    bf16[2 * i + 1] = __bfloat16_as_ushort(__int2bfloat16_rn(spread));
}

// The pattern is the upper half of a float; the lower half is given: ties, just below them, just above.
extern "C" __global__ void float_to_narrow(unsigned short* out, unsigned low) {
    PATTERN;
    const float x = __uint_as_float((i << 16) | low);
    unsigned short* o = out + 9 * i;
    o[0] = __half_as_ushort(__float2half_rn(x)), o[1] = __half_as_ushort(__float2half_rz(x));
    o[2] = __half_as_ushort(__float2half_rd(x)), o[3] = __half_as_ushort(__float2half_ru(x));
    o[4] = __bfloat16_as_ushort(__float2bfloat16_rn(x)), o[5] = __bfloat16_as_ushort(__float2bfloat16_rz(x));
    unsigned pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(x), "f"(-x));
    o[6] = static_cast<unsigned short>(pair), o[7] = static_cast<unsigned short>(pair >> 16);
    asm("cvt.rn.relu.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(x), "f"(-x));
    o[8] = static_cast<unsigned short>(pair >> 16);
}

extern "C" __global__ void bf16_to_others(unsigned* single, unsigned short* half, int* integer) {
    PATTERN;
    const __nv_bfloat16 b = as_bf16(i);
    single[i] = __float_as_uint(__bfloat162float(b));
    half[i] = __half_as_ushort(__float2half_rn(__bfloat162float(b)));
    integer[2 * i] = __bfloat162int_rz(b), integer[2 * i + 1] = static_cast<int>(__bfloat162uint_rn(b));
}

extern "C" __global__ void to_fp8(unsigned char* from_half, unsigned char* from_float, unsigned low) {
    PATTERN;
    __half_raw raw;
    raw.x = static_cast<unsigned short>(i);
    from_half[2 * i] = __nv_cvt_halfraw_to_fp8(raw, __NV_SATFINITE, __NV_E4M3);
    from_half[2 * i + 1] = __nv_cvt_halfraw_to_fp8(raw, __NV_SATFINITE, __NV_E5M2);
    const float2 x = make_float2(__uint_as_float((i << 16) | low), __uint_as_float((i << 16) | low) * -0.5f);
    const __nv_fp8x2_storage_t e4m3 = __nv_cvt_float2_to_fp8x2(x, __NV_SATFINITE, __NV_E4M3);
    const __nv_fp8x2_storage_t e5m2 = __nv_cvt_float2_to_fp8x2(x, __NV_SATFINITE, __NV_E5M2);
    from_float[4 * i] = e4m3 & 0xff, from_float[4 * i + 1] = e4m3 >> 8;
    from_float[4 * i + 2] = e5m2 & 0xff, from_float[4 * i + 3] = e5m2 >> 8;
}

// Pairs of fp8: every combination of two.
extern "C" __global__ void from_fp8(unsigned* e4m3, unsigned* e5m2, float* sum) {
    PATTERN;
    const auto pair = static_cast<unsigned short>(i);
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(e4m3[i]) : "h"(pair));
    asm("cvt.rn.f16x2.e5m2x2 %0, %1;" : "=r"(e5m2[i]) : "h"(pair));
    __nv_fp8_e4m3 a;
    __nv_fp8_e5m2 b;
    a.__x = i & 0xff, b.__x = i >> 8;
    sum[i] = static_cast<float>(a) + static_cast<float>(b);
}

extern "C" __global__ void tf32_rounding(unsigned* out, unsigned low) {
    PATTERN;
    const float x = __uint_as_float((i << 16) | low);
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(out[2 * i]) : "f"(x));
    asm("cvt.rn.tf32.f32 %0, %1;" : "=r"(out[2 * i + 1]) : "f"(x));
}

// Arithmetic on each pattern and another one.
extern "C" __global__ void half_arithmetic(unsigned short* out, unsigned other) {
    PATTERN;
    const __half a = as_half(i), b = as_half(other);
    unsigned short* o = out + 9 * i;
    o[0] = __half_as_ushort(__hadd_rn(a, b)), o[1] = __half_as_ushort(__hmul_rn(a, b)),
    o[2] = __half_as_ushort(__hfma(a, b, a));
    o[3] = __half_as_ushort(__hmin(a, b)), o[4] = __half_as_ushort(__hmax_nan(a, b));
    o[5] = __half_as_ushort(__hneg(a)), o[6] = __half_as_ushort(__habs(a));
    o[7] = static_cast<unsigned short>(__hlt(a, b) + 2 * __heq(a, b) + 4 * __hgeu(a, b));
    o[8] = __half_as_ushort(__hfma_relu(a, b, b));
}

extern "C" __global__ void bf16_arithmetic(unsigned short* out, unsigned other) {
    PATTERN;
    const __nv_bfloat16 a = as_bf16(i), b = as_bf16(other);
    unsigned short* o = out + 5 * i;
    o[0] = __bfloat16_as_ushort(__hadd_rn(a, b)), o[1] = __bfloat16_as_ushort(__hmul_rn(a, b));
    o[2] = __bfloat16_as_ushort(__hfma(a, b, a)), o[3] = __bfloat16_as_ushort(__hmax(a, b));
    o[4] = static_cast<unsigned short>(__hlt(a, b) + 2 * __heq(a, b) + 4 * __hgeu(a, b));
}
