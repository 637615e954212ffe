// Row kernels: conversions, elementwise functions and the matrix product, in one table of function pointers for
// each instruction-set variant of the host. All variants give identical bits.
#pragma once
#include <cstdint>

namespace sim {

struct Kernels {
    // `stride` in bytes; n elements.
    void (*load_f32)(const uint8_t* src, int dtype, int64_t stride, int n, float* out);
    void (*load_i32)(const uint8_t* src, int dtype, int64_t stride, int n, int32_t* out);
    void (*load_i64)(const uint8_t* src, int dtype, int64_t stride, int n, int64_t* out);
    void (*store_f32)(uint8_t* dst, int dtype, int64_t stride, int n, const float* in, bool sat);
    void (*store_i32)(uint8_t* dst, int dtype, int64_t stride, int n, const int32_t* in, bool sat);
    void (*store_i64)(uint8_t* dst, int dtype, int64_t stride, int n, const int64_t* in, bool sat);
    // One vector instruction's function over rows; unused operands may be null. NaN results are canonical.
    void (*op_f32)(int opcode, const float* a, const float* b, const float* c, float* out, int n);
    void (*op_i32)(int opcode, const int32_t* a, const int32_t* b, const int32_t* c, int32_t* out, int n);
    void (*op_i64)(int opcode, const int64_t* a, const int64_t* b, const int64_t* c, int64_t* out, int n);
    // c[m][n] += a[m][k] * w[k][n], sequential in k; rows of w and c are padded to multiples of 32 columns.
    void (*gemm_f32)(const float* a, int64_t lda, const float* w, int64_t ldw, float* c, int64_t ldc, int m, int k, int n);
    void (*gemm_i32)(const int32_t* a, int64_t lda, const int32_t* w, int64_t ldw, int32_t* c, int64_t ldc, int m, int k, int n);
    const char* name;
};

/// The best variant for this CPU, or the one called `name` if that is not empty; null if this CPU lacks it.
const Kernels* select_kernels(const char* name);

}  // namespace sim
