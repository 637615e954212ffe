// Floating point: libdevice in double and single, the fast intrinsics, rounding modes.

extern "C" __global__ void math_double(const double* x, const double* y, double* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const double a = x[i], b = y[i];
    double* o = out + 16 * i;
    o[0] = sin(a), o[1] = cos(a), o[2] = tan(a), o[3] = exp(a);
    o[4] = log(fabs(a) + 1e-300), o[5] = pow(fabs(a), b), o[6] = erf(a), o[7] = erfc(a);
    o[8] = sqrt(fabs(a)), o[9] = a / b, o[10] = cbrt(a), o[11] = tanh(a);
    o[12] = atan2(a, b), o[13] = tgamma(fmod(fabs(a), 20.0) + 0.5), o[14] = fma(a, b, 1.0), o[15] = rint(a) + floor(b);
}

extern "C" __global__ void math_single(const float* x, const float* y, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float a = x[i], b = y[i];
    float* o = out + 16 * i;
    o[0] = sinf(a), o[1] = cosf(a), o[2] = tanf(a), o[3] = expf(a);
    o[4] = logf(fabsf(a) + 1e-30f), o[5] = powf(fabsf(a), b), o[6] = erff(a), o[7] = log1pf(fabsf(a));
    o[8] = sqrtf(fabsf(a)), o[9] = a / b, o[10] = rsqrtf(fabsf(a) + 1e-20f), o[11] = tanhf(a);
    o[12] = atan2f(a, b), o[13] = lgammaf(fabsf(a) + 0.5f), o[14] = fmaf(a, b, 1.0f), o[15] = fmodf(a, b);
}

extern "C" __global__ void math_fast(const float* x, const float* y, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float a = x[i], b = y[i];
    float* o = out + 10 * i;
    o[0] = __sinf(a), o[1] = __cosf(a), o[2] = __expf(a), o[3] = __logf(fabsf(a) + 0.1f),
    o[4] = __powf(fabsf(a) + 0.1f, b);
    o[5] = __fdividef(a, b), o[6] = __frsqrt_rn(fabsf(a) + 0.1f), o[7] = __saturatef(a), o[8] = __exp10f(a);
    asm("tanh.approx.f32 %0, %1;" : "=f"(o[9]) : "f"(a));
}

// Directed roundings: bit for bit what the standard says.
extern "C" __global__ void roundings(const float* x, const float* y, float* out, const double* d, double* e, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float a = x[i], b = y[i];
    float* o = out + 12 * i;
    o[0] = __fadd_rn(a, b), o[1] = __fadd_rz(a, b), o[2] = __fadd_ru(a, b), o[3] = __fadd_rd(a, b);
    o[4] = __fmul_rz(a, b), o[5] = __fmul_ru(a, b), o[6] = __fdiv_rn(a, b), o[7] = __fdiv_rd(a, b);
    o[8] = __fsqrt_ru(fabsf(a)), o[9] = __fmaf_rz(a, b, 1.0f), o[10] = __frcp_rn(a), o[11] = __fmaf_rd(a, b, a);
    const double p = d[i], q = d[n - 1 - i];
    double* f = e + 6 * i;
    f[0] = __dadd_ru(p, q), f[1] = __dmul_rz(p, q), f[2] = __ddiv_rd(p, q), f[3] = __dsqrt_rn(fabs(p));
    f[4] = __fma_ru(p, q, 1.0), f[5] = __drcp_rz(p);
}

extern "C" __global__ void to_integers(const float* x, int* out, const double* d, long long* wide, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int* o = out + 6 * i;
    o[0] = __float2int_rn(x[i]), o[1] = __float2int_rz(x[i]), o[2] = __float2int_ru(x[i]), o[3] = __float2int_rd(x[i]);
    o[4] = static_cast<int>(__float2uint_rn(x[i])), o[5] = __double2int_rn(d[i]);
    wide[3 * i] = __double2ll_rn(d[i]), wide[3 * i + 1] = static_cast<long long>(__double2ull_rz(d[i]));
    wide[3 * i + 2] = __float2ll_rd(x[i]);
}
