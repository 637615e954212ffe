// Integers: 64-bit division, bit operations, packed dot products, wide loads, and what a warp's lanes say together.

extern "C" __global__ void divide_64(const long long* a, const long long* b, long long* quotient, long long* rest,
                                     unsigned long long* uq, unsigned long long* ur, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    quotient[i] = a[i] / b[i];
    rest[i] = a[i] % b[i];
    uq[i] = static_cast<unsigned long long>(a[i]) / static_cast<unsigned long long>(b[i]);
    ur[i] = static_cast<unsigned long long>(a[i]) % static_cast<unsigned long long>(b[i]);
}

extern "C" __global__ void multiply_wide(const long long* a, const long long* b, long long* high,
                                         unsigned long long* uhigh, int* high32, int* mul24, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    high[i] = __mul64hi(a[i], b[i]);
    uhigh[i] = __umul64hi(a[i], b[i]);
    high32[i] = __mulhi(static_cast<int>(a[i]), static_cast<int>(b[i]));
    mul24[i] = __mul24(static_cast<int>(a[i]), static_cast<int>(b[i]));
}

extern "C" __global__ void multiply_128(const unsigned long long* a, const unsigned long long* b,
                                        unsigned long long* low, unsigned long long* high, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned __int128 product = static_cast<unsigned __int128>(a[i]) * b[i];
    product += (static_cast<unsigned __int128>(b[i]) << 64) | a[i];
    low[i] = static_cast<unsigned long long>(product);
    high[i] = static_cast<unsigned long long>(product >> 64);
}

extern "C" __global__ void bit_tricks(const unsigned* x, const unsigned* y, unsigned* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const unsigned a = x[i], b = y[i];
    unsigned* o = out + 14 * i;
    const unsigned long long wide = (static_cast<unsigned long long>(a) << 32) | b;
    o[0] = __brev(a);
    o[1] = __clz(a);
    o[2] = __popc(a);
    o[3] = __ffs(a);
    o[4] = __byte_perm(a, b, b & 0x7777);
    o[5] = __funnelshift_l(a, b, b & 63);
    o[6] = __funnelshift_r(a, b, b & 63);
    o[7] = __funnelshift_lc(a, b, b & 63);
    o[8] = __clzll(wide) * 100 + __popcll(wide);
    o[9] = static_cast<unsigned>(__brevll(wide) >> 7);
    o[10] = __sad(static_cast<int>(a), static_cast<int>(b), 5u);
    o[11] = __vadd2(a, b);
    o[12] = __vmaxs4(a, b);
    o[13] = __hadd(static_cast<int>(a), static_cast<int>(b)) ^ __urhadd(a, b);
}

extern "C" __global__ void bit_fields(const unsigned* x, const unsigned* y, unsigned* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned u, s, f, g, l;
    const unsigned a = x[i], b = y[i], at = b & 31, length = (b >> 8) & 31;
    asm("bfe.u32 %0, %1, %2, %3;" : "=r"(u) : "r"(a), "r"(at), "r"(length));
    asm("bfe.s32 %0, %1, %2, %3;" : "=r"(s) : "r"(a), "r"(at), "r"(length));
    asm("bfi.b32 %0, %1, %2, %3, %4;" : "=r"(f) : "r"(a), "r"(b), "r"(at), "r"(length));
    asm("bfind.s32 %0, %1;" : "=r"(g) : "r"(a));
    asm("lop3.b32 %0, %1, %2, %3, 0xca;" : "=r"(l) : "r"(a), "r"(b), "r"(u));
    unsigned* o = out + 5 * i;
    o[0] = u, o[1] = s, o[2] = f, o[3] = g, o[4] = l;
}

extern "C" __global__ void dot_products(const int* a, const int* b, int* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[4 * i] = __dp4a(a[i], b[i], 100);
    out[4 * i + 1] = static_cast<int>(__dp4a(static_cast<unsigned>(a[i]), static_cast<unsigned>(b[i]), 100u));
    out[4 * i + 2] = __dp2a_lo(a[i], b[i], -7);
    out[4 * i + 3] = __dp2a_hi(a[i], b[i], -7);
}

// 128-bit loads and stores through the cache operators, and carries over 128-bit numbers.
extern "C" __global__ void wide_moves(const uint4* in, uint4* out, const double2* d, double2* e, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const uint4 a = __ldg(&in[i]), b = __ldcs(&in[n - 1 - i]);
    uint4 c;
    asm("add.cc.u32 %0, %4, %8;\n\taddc.cc.u32 %1, %5, %9;\n\taddc.cc.u32 %2, %6, %10;\n\taddc.u32 %3, %7, %11;"
        : "=r"(c.x), "=r"(c.y), "=r"(c.z), "=r"(c.w)
        : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y), "r"(b.z), "r"(b.w));
    __stcs(&out[i], c);
    double2 v = __ldca(&d[i]);
    v.x += v.y, v.y -= 1.5;
    __stwt(&e[i], v);
}

extern "C" __global__ void vote_and_match(const int* in, unsigned* out) {
    const int i = threadIdx.x;
    const int value = in[i];
    unsigned* o = out + 8 * i;
    int uniform;
    o[0] = __ballot_sync(0xffffffffu, value & 1);
    o[1] = __all_sync(0xffffffffu, value < 1000) * 2 + __any_sync(0xffffffffu, value > 90);
    o[2] = __match_any_sync(0xffffffffu, value);
    o[3] = __match_all_sync(0xffffffffu, value / 1000, &uniform) ^ uniform;
    o[4] = __reduce_add_sync(0xffffffffu, static_cast<unsigned>(value));
    o[5] = __reduce_max_sync(0xffffffffu, value);
    o[6] = __reduce_xor_sync(0xffffffffu, static_cast<unsigned>(value));
    o[7] = 0;
    if (value & 1) {
        const unsigned odd = __activemask();
        o[7] = __shfl_sync(odd, value, __ffs(odd) - 1) + 1000 * __popc(__ballot_sync(odd, value > 50));
    }
}

extern "C" __global__ void shuffles(const int* in, int* out, const double* d, double* e) {
    const int i = threadIdx.x, value = in[i];
    out[4 * i] = __shfl_sync(0xffffffffu, value, (i * 7 + 3) & 31, 8);
    out[4 * i + 1] = __shfl_up_sync(0xffffffffu, value, 3, 16);
    out[4 * i + 2] = __shfl_down_sync(0xffffffffu, value, 5, 8);
    out[4 * i + 3] = __shfl_xor_sync(0xffffffffu, value, 9, 16);
    e[i] = __shfl_xor_sync(0xffffffffu, d[i], 17);
}

extern "C" __global__ void clocks(long long* ticks, unsigned* ids) {
    const long long before = clock64();
    __nanosleep(100);
    const unsigned first = clock();
    const long long after = clock64();
    unsigned long long timer, later;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(timer));
    __nanosleep(1000);
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(later));
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    ticks[2 * i] = after - before;
    ticks[2 * i + 1] = static_cast<long long>(later - timer);
    unsigned sm, lane, warp, lanes_below;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
    asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
    asm volatile("mov.u32 %0, %%warpid;" : "=r"(warp));
    asm volatile("mov.u32 %0, %%lanemask_lt;" : "=r"(lanes_below));
    ids[4 * i] = lane, ids[4 * i + 1] = lanes_below, ids[4 * i + 2] = sm < 1024,
            ids[4 * i + 3] = warp < 64 && first != 0xffffffffu;
}
