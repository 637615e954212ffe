// C = A B in f32 on the ordinary units: one element a thread, and a register-blocked form with 128-bit loads.

extern "C" __global__ void gemm_tiled(const float* a, const float* b, float* c, int m, int n, int k) {
    __shared__ float as[16][16], bs[16][16];
    const int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
    float sum = 0;
    for (int base = 0; base < k; base += 16) {
        as[threadIdx.y][threadIdx.x] = row < m && base + threadIdx.x < k ? a[row * k + base + threadIdx.x] : 0.0f;
        bs[threadIdx.y][threadIdx.x] =
            column < n && base + threadIdx.y < k ? b[(base + threadIdx.y) * n + column] : 0.0f;
        __syncthreads();
#pragma unroll
        for (int i = 0; i < 16; ++i) sum += as[threadIdx.y][i] * bs[i][threadIdx.x];
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}

// 64x64 of C by 256 threads, 4x4 each, k in steps of 16; sizes are multiples of these. C = alpha A B + beta C.
extern "C" __global__ void __launch_bounds__(256)
    gemm_blocked(const float4* a, const float4* b, float4* c, int n, int k, float alpha, float beta) {
    __shared__ __align__(16) float as[16][64 + 4];
    __shared__ __align__(16) float bs[16][64];
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    float sum[4][4] = {};
    for (int base = 0; base < k; base += 16) {
        const int r = threadIdx.x / 4, q = threadIdx.x % 4;
        const float4 va = a[((blockIdx.y * 64 + r) * k + base) / 4 + q];
        as[4 * q + 0][r] = va.x, as[4 * q + 1][r] = va.y, as[4 * q + 2][r] = va.z, as[4 * q + 3][r] = va.w;
        *reinterpret_cast<float4*>(&bs[ty][4 * tx]) = b[((base + ty) * n + blockIdx.x * 64) / 4 + tx];
        __syncthreads();
#pragma unroll
        for (int i = 0; i < 16; ++i) {
            const float4 ra = *reinterpret_cast<const float4*>(&as[i][4 * ty]);
            const float4 rb = *reinterpret_cast<const float4*>(&bs[i][4 * tx]);
            const float av[4] = {ra.x, ra.y, ra.z, ra.w}, bv[4] = {rb.x, rb.y, rb.z, rb.w};
#pragma unroll
            for (int y = 0; y < 4; ++y)
#pragma unroll
                for (int x = 0; x < 4; ++x) sum[y][x] += av[y] * bv[x];
        }
        __syncthreads();
    }
    for (int y = 0; y < 4; ++y) {
        float4* at = &c[((blockIdx.y * 64 + 4 * ty + y) * n + blockIdx.x * 64) / 4 + tx];
        const float4 old = *at;
        *at = make_float4(alpha * sum[y][0] + beta * old.x, alpha * sum[y][1] + beta * old.y,
                          alpha * sum[y][2] + beta * old.z, alpha * sum[y][3] + beta * old.w);
    }
}
