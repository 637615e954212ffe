// Compiled once per instruction-set variant with KERNEL_NS set to its name (see CMakeLists.txt).
#include "kernels.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "functions.h"
#include "isa_table.h"
#include "numeric.h"

namespace sim {
namespace KERNEL_NS {

// ---- conversions ----

template <class From, class To, class Convert>
void rows(const uint8_t* src, int64_t stride, int n, To* out, Convert convert) {
    if (stride == static_cast<int64_t>(sizeof(From))) {
        for (int i = 0; i < n; ++i) {
            From v;
            std::memcpy(&v, src + i * sizeof(From), sizeof(From));
            out[i] = convert(v);
        }
    } else if (stride == 0) {
        From v;
        std::memcpy(&v, src, sizeof(From));
        const To value = convert(v);
        for (int i = 0; i < n; ++i) out[i] = value;
    } else {
        for (int i = 0; i < n; ++i) {
            From v;
            std::memcpy(&v, src + i * stride, sizeof(From));
            out[i] = convert(v);
        }
    }
}

template <class To, class From, class Convert>
void put(uint8_t* dst, int64_t stride, int n, const From* in, Convert convert) {
    if (stride == static_cast<int64_t>(sizeof(To))) {
        for (int i = 0; i < n; ++i) {
            const To v = convert(in[i]);
            std::memcpy(dst + i * sizeof(To), &v, sizeof(To));
        }
    } else {
        for (int i = 0; i < n; ++i) {
            const To v = convert(in[i]);
            std::memcpy(dst + i * stride, &v, sizeof(To));
        }
    }
}

void load_f32(const uint8_t* src, int dtype, int64_t stride, int n, float* out) {
    switch (dtype) {
        case DT_F32: return rows<float>(src, stride, n, out, [](float v) { return v; });
        case DT_BF16: return rows<uint16_t>(src, stride, n, out, [](uint16_t v) { return bf16_to_f32(v); });
        case DT_F16: return rows<uint16_t>(src, stride, n, out, [](uint16_t v) { return f16_to_f32(v); });
        case DT_E4M3: return rows<uint8_t>(src, stride, n, out, [](uint8_t v) { return e4m3_to_f32(v); });
        case DT_E5M2: return rows<uint8_t>(src, stride, n, out, [](uint8_t v) { return e5m2_to_f32(v); });
        case DT_I8: return rows<int8_t>(src, stride, n, out, [](int8_t v) { return static_cast<float>(v); });
        case DT_U8: return rows<uint8_t>(src, stride, n, out, [](uint8_t v) { return static_cast<float>(v); });
        case DT_I32: return rows<int32_t>(src, stride, n, out, [](int32_t v) { return static_cast<float>(v); });
        case DT_I64: return rows<int64_t>(src, stride, n, out, [](int64_t v) { return static_cast<float>(v); });
        default: return rows<uint8_t>(src, stride, n, out, [](uint8_t v) { return v ? 1.0f : 0.0f; });
    }
}

template <class Int>
void load_int(const uint8_t* src, int dtype, int64_t stride, int n, Int* out) {
    auto of_float = [](float v) { return f32_to_int<Int>(v); };
    switch (dtype) {
        case DT_F32: return rows<float>(src, stride, n, out, of_float);
        case DT_BF16: return rows<uint16_t>(src, stride, n, out, [&](uint16_t v) { return of_float(bf16_to_f32(v)); });
        case DT_F16: return rows<uint16_t>(src, stride, n, out, [&](uint16_t v) { return of_float(f16_to_f32(v)); });
        case DT_E4M3: return rows<uint8_t>(src, stride, n, out, [&](uint8_t v) { return of_float(e4m3_to_f32(v)); });
        case DT_E5M2: return rows<uint8_t>(src, stride, n, out, [&](uint8_t v) { return of_float(e5m2_to_f32(v)); });
        case DT_I8: return rows<int8_t>(src, stride, n, out, [](int8_t v) { return static_cast<Int>(v); });
        case DT_U8: return rows<uint8_t>(src, stride, n, out, [](uint8_t v) { return static_cast<Int>(v); });
        case DT_I32: return rows<int32_t>(src, stride, n, out, [](int32_t v) { return static_cast<Int>(v); });
        case DT_I64: return rows<int64_t>(src, stride, n, out, [](int64_t v) { return static_cast<Int>(v); });
        default: return rows<uint8_t>(src, stride, n, out, [](uint8_t v) { return static_cast<Int>(v != 0); });
    }
}

void store_f32(uint8_t* dst, int dtype, int64_t stride, int n, const float* in, bool sat) {
    switch (dtype) {
        case DT_F32: return put<float>(dst, stride, n, in, [](float v) { return v; });
        case DT_BF16: return put<uint16_t>(dst, stride, n, in, [](float v) { return f32_to_bf16(v); });
        case DT_F16: return put<uint16_t>(dst, stride, n, in, [=](float v) { return f32_to_f16(v, sat); });
        case DT_E4M3: return put<uint8_t>(dst, stride, n, in, [=](float v) { return f32_to_e4m3(v, sat); });
        case DT_E5M2: return put<uint8_t>(dst, stride, n, in, [=](float v) { return f32_to_e5m2(v, sat); });
        case DT_I8: return put<int8_t>(dst, stride, n, in, [](float v) { return f32_to_int<int8_t>(v); });
        case DT_U8: return put<uint8_t>(dst, stride, n, in, [](float v) { return f32_to_int<uint8_t>(v); });
        case DT_I32: return put<int32_t>(dst, stride, n, in, [](float v) { return f32_to_int<int32_t>(v); });
        case DT_I64: return put<int64_t>(dst, stride, n, in, [](float v) { return f32_to_int<int64_t>(v); });
        default: return put<uint8_t>(dst, stride, n, in, [](float v) { return static_cast<uint8_t>(v != 0.0f); });
    }
}

template <class To, class Int>
To narrow(Int v, bool sat) {
    if (sat) {
        const int64_t lo = std::numeric_limits<To>::min(), hi = std::numeric_limits<To>::max();
        const int64_t w = v;
        return static_cast<To>(w < lo ? lo : w > hi ? hi : w);
    }
    return static_cast<To>(v);
}

template <class Int>
void store_int(uint8_t* dst, int dtype, int64_t stride, int n, const Int* in, bool sat) {
    switch (dtype) {
        case DT_F32: return put<float>(dst, stride, n, in, [](Int v) { return static_cast<float>(v); });
        case DT_BF16: return put<uint16_t>(dst, stride, n, in, [](Int v) { return f32_to_bf16(int_to_f32_odd(v)); });
        case DT_F16: return put<uint16_t>(dst, stride, n, in, [=](Int v) { return f32_to_f16(int_to_f32_odd(v), sat); });
        case DT_E4M3: return put<uint8_t>(dst, stride, n, in, [=](Int v) { return f32_to_e4m3(int_to_f32_odd(v), sat); });
        case DT_E5M2: return put<uint8_t>(dst, stride, n, in, [=](Int v) { return f32_to_e5m2(int_to_f32_odd(v), sat); });
        case DT_I8: return put<int8_t>(dst, stride, n, in, [=](Int v) { return narrow<int8_t>(v, sat); });
        case DT_U8: return put<uint8_t>(dst, stride, n, in, [=](Int v) { return narrow<uint8_t>(v, sat); });
        case DT_I32: return put<int32_t>(dst, stride, n, in, [=](Int v) { return narrow<int32_t>(v, sat); });
        case DT_I64: return put<int64_t>(dst, stride, n, in, [](Int v) { return static_cast<int64_t>(v); });
        default: return put<uint8_t>(dst, stride, n, in, [](Int v) { return static_cast<uint8_t>(v != 0); });
    }
}

// ---- elementwise functions ----

inline float canonical(float v) { return v != v ? kNan : v; }

template <class F>
void map1(const float* a, float* out, int n, F f) {
    for (int i = 0; i < n; ++i) out[i] = canonical(f(a[i]));
}
template <class F>
void map2(const float* a, const float* b, float* out, int n, F f) {
    for (int i = 0; i < n; ++i) out[i] = canonical(f(a[i], b[i]));
}

/// The smaller number; -0 is smaller than +0; NaN if either is (`wins`) or only if both are.
inline float min_f32(float a, float b, bool wins) {
    const float r = a < b ? a : (a == b ? (__builtin_signbit(a) ? a : b) : b);
    if (wins) return a != a || b != b ? kNan : r;
    return a != a ? b : (b != b ? a : r);
}
inline float max_f32(float a, float b, bool wins) { return -min_f32(-a, -b, wins); }

void angles(const float* a, float* out, int n, bool cosine) {
    bool large = false;
    for (int i = 0; i < n; ++i) large |= !(__builtin_fabsf(a[i]) < kLargeAngle);
    if (!large) {
        if (cosine) return map1(a, out, n, f_cos_small);
        return map1(a, out, n, f_sin_small);
    }
    for (int i = 0; i < n; ++i) {
        const float x = a[i];
        const bool big = !(__builtin_fabsf(x) < kLargeAngle);
        out[i] = canonical(big ? f_sincos_large(x, cosine) : cosine ? f_cos_small(x) : f_sin_small(x));
    }
}

void op_f32(int opcode, const float* a, const float* b, const float* c, float* out, int n) {
    switch (opcode) {
        case OP_VADD: return map2(a, b, out, n, [](float x, float y) { return x + y; });
        case OP_VSUB: return map2(a, b, out, n, [](float x, float y) { return x - y; });
        case OP_VMUL: return map2(a, b, out, n, [](float x, float y) { return x * y; });
        case OP_VDIV: return map2(a, b, out, n, [](float x, float y) { return x / y; });
        case OP_VREM: return map2(a, b, out, n, [](float x, float y) { return __builtin_fmodf(x, y); });
        case OP_VMIN: return map2(a, b, out, n, [](float x, float y) { return min_f32(x, y, true); });
        case OP_VMAX: return map2(a, b, out, n, [](float x, float y) { return max_f32(x, y, true); });
        case OP_VMINNUM: return map2(a, b, out, n, [](float x, float y) { return min_f32(x, y, false); });
        case OP_VMAXNUM: return map2(a, b, out, n, [](float x, float y) { return max_f32(x, y, false); });
        case OP_VPOW: return map2(a, b, out, n, f_pow);
        case OP_VCEQ: return map2(a, b, out, n, [](float x, float y) { return x == y ? 1.0f : 0.0f; });
        case OP_VCNE: return map2(a, b, out, n, [](float x, float y) { return x != y ? 1.0f : 0.0f; });
        case OP_VCLT: return map2(a, b, out, n, [](float x, float y) { return x < y ? 1.0f : 0.0f; });
        case OP_VCLE: return map2(a, b, out, n, [](float x, float y) { return x <= y ? 1.0f : 0.0f; });
        case OP_VCGT: return map2(a, b, out, n, [](float x, float y) { return x > y ? 1.0f : 0.0f; });
        case OP_VCGE: return map2(a, b, out, n, [](float x, float y) { return x >= y ? 1.0f : 0.0f; });
        case OP_VFMA:
            for (int i = 0; i < n; ++i) out[i] = canonical(__builtin_fmaf(a[i], b[i], c[i]));
            return;
        case OP_VSELECT:
            for (int i = 0; i < n; ++i) out[i] = canonical(c[i] != 0.0f ? a[i] : b[i]);
            return;
        case OP_VCOPY: return map1(a, out, n, [](float x) { return x; });
        case OP_VNEG: return map1(a, out, n, [](float x) { return -x; });
        case OP_VABS: return map1(a, out, n, [](float x) { return __builtin_fabsf(x); });
        case OP_VFLOOR: return map1(a, out, n, [](float x) { return __builtin_floorf(x); });
        case OP_VCEIL: return map1(a, out, n, [](float x) { return __builtin_ceilf(x); });
        case OP_VRINT: return map1(a, out, n, [](float x) { return __builtin_rintf(x); });
        case OP_VTRUNC: return map1(a, out, n, [](float x) { return __builtin_truncf(x); });
        case OP_VSQRT: return map1(a, out, n, [](float x) { return __builtin_sqrtf(x); });
        case OP_VRSQRT: return map1(a, out, n, [](float x) { return static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(x))); });
        case OP_VRECIP: return map1(a, out, n, [](float x) { return 1.0f / x; });
        case OP_VEXP: return map1(a, out, n, f_exp);
        case OP_VLOG: return map1(a, out, n, f_log);
        case OP_VTANH: return map1(a, out, n, f_tanh);
        case OP_VERF: return map1(a, out, n, f_erf);
        case OP_VSIGMOID: return map1(a, out, n, f_sigmoid);
        case OP_VSIN: return angles(a, out, n, false);
        case OP_VCOS: return angles(a, out, n, true);
        default: return;
    }
}

template <class Int>
void op_int(int opcode, const Int* a, const Int* b, const Int* c, Int* out, int n) {
    using U = std::make_unsigned_t<Int>;
    constexpr int kBits = 8 * sizeof(Int);
    auto each = [&](auto f) {
        for (int i = 0; i < n; ++i) out[i] = static_cast<Int>(f(a[i], b[i]));
    };
    auto one = [&](auto f) {
        for (int i = 0; i < n; ++i) out[i] = static_cast<Int>(f(a[i]));
    };
    auto u = [](Int x) { return static_cast<U>(x); };
    switch (opcode) {
        case OP_VADD: return each([&](Int x, Int y) { return u(x) + u(y); });
        case OP_VSUB: return each([&](Int x, Int y) { return u(x) - u(y); });
        case OP_VMUL: return each([&](Int x, Int y) { return u(x) * u(y); });
        case OP_VDIV: return each([](Int x, Int y) { return int_div(x, y); });
        case OP_VREM: return each([](Int x, Int y) { return int_rem(x, y); });
        case OP_VMIN: return each([](Int x, Int y) { return x < y ? x : y; });
        case OP_VMAX: return each([](Int x, Int y) { return x > y ? x : y; });
        case OP_VCEQ: return each([](Int x, Int y) { return x == y; });
        case OP_VCNE: return each([](Int x, Int y) { return x != y; });
        case OP_VCLT: return each([](Int x, Int y) { return x < y; });
        case OP_VCLE: return each([](Int x, Int y) { return x <= y; });
        case OP_VCGT: return each([](Int x, Int y) { return x > y; });
        case OP_VCGE: return each([](Int x, Int y) { return x >= y; });
        case OP_VAND: return each([](Int x, Int y) { return x & y; });
        case OP_VOR: return each([](Int x, Int y) { return x | y; });
        case OP_VXOR: return each([](Int x, Int y) { return x ^ y; });
        case OP_VSHL: return each([&](Int x, Int y) { return u(x) << (y & (kBits - 1)); });
        case OP_VSHR: return each([](Int x, Int y) { return x >> (y & (kBits - 1)); });
        case OP_VSHRL: return each([&](Int x, Int y) { return u(x) >> (y & (kBits - 1)); });
        case OP_VFMA:
            for (int i = 0; i < n; ++i) out[i] = static_cast<Int>(u(a[i]) * u(b[i]) + u(c[i]));
            return;
        case OP_VSELECT:
            for (int i = 0; i < n; ++i) out[i] = c[i] != 0 ? a[i] : b[i];
            return;
        case OP_VCOPY: return one([](Int x) { return x; });
        case OP_VNEG: return one([&](Int x) { return U(0) - u(x); });
        case OP_VABS: return one([&](Int x) { return x < 0 ? U(0) - u(x) : u(x); });
        case OP_VNOT: return one([](Int x) { return ~x; });
        default: return;
    }
}

// ---- matrix product ----

template <class T>
inline T step(T a, T w, T c) {
    if constexpr (std::is_same_v<T, float>) return __builtin_fmaf(a, w, c);
    else return static_cast<T>(static_cast<uint32_t>(a) * static_cast<uint32_t>(w) + static_cast<uint32_t>(c));
}

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif

/// R rows by two registers of columns, in registers through all of k.
template <class T, int R>
void micro(const T* a, int64_t lda, const T* w, int64_t ldw, T* c, int64_t ldc, int k) {
    T acc[R][2][kLanes];
    for (int r = 0; r < R; ++r) std::memcpy(acc[r], c + r * ldc, sizeof acc[r]);
    for (int p = 0; p < k; ++p) {
        const T* row = w + p * ldw;
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const T x = a[r * lda + p];
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h)
                for (int j = 0; j < kLanes; ++j) acc[r][h][j] = step(x, row[h * kLanes + j], acc[r][h][j]);
        }
    }
    for (int r = 0; r < R; ++r) std::memcpy(c + r * ldc, acc[r], sizeof acc[r]);
}

template <class T>
void gemm(const T* a, int64_t lda, const T* w, int64_t ldw, T* c, int64_t ldc, int m, int k, int n) {
    constexpr int kRows = 6;
    for (int j = 0; j < n; j += 2 * kLanes) {
        int i = 0;
        for (; i + kRows <= m; i += kRows) micro<T, kRows>(a + i * lda, lda, w + j, ldw, c + i * ldc + j, ldc, k);
        for (; i < m; ++i) micro<T, 1>(a + i * lda, lda, w + j, ldw, c + i * ldc + j, ldc, k);
    }
}

extern const Kernels kTable;
#define STRING2(x) #x
#define STRING(x) STRING2(x)
const Kernels kTable = {load_f32, load_int<int32_t>, load_int<int64_t>, store_f32,  store_int<int32_t>, store_int<int64_t>,
                        op_f32,   op_int<int32_t>,   op_int<int64_t>,   gemm<float>, gemm<int32_t>,      STRING(KERNEL_NS)};

}  // namespace KERNEL_NS
}  // namespace sim
