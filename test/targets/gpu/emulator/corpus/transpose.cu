// Transposes through shared memory whose rows are padded, so that neither side conflicts in banks.

#include <cuda_fp16.h>

// A 32x32 tile by a 32x8 block; any number of rows and columns.
extern "C" __global__ void transpose_padded(const float* in, float* out, int rows, int columns) {
    __shared__ float tile[32][33];
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
    for (int j = 0; j < 32; j += 8)
        if (x < columns && y + j < rows) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * columns + x];
    __syncthreads();
    x = blockIdx.y * 32 + threadIdx.x, y = blockIdx.x * 32 + threadIdx.y;
    for (int j = 0; j < 32; j += 8)
        if (x < rows && y + j < columns) out[(y + j) * rows + x] = tile[threadIdx.x][threadIdx.y + j];
}

// The same without the padding: right, and with 32-way conflicts that the counters must see.
extern "C" __global__ void transpose_conflicts(const float* in, float* out, int n) {
    __shared__ float tile[32][32];
    const int x = blockIdx.x * 32, y = blockIdx.y * 32;
    for (int j = threadIdx.y; j < 32; j += 8) tile[j][threadIdx.x] = in[(y + j) * n + x + threadIdx.x];
    __syncthreads();
    for (int j = threadIdx.y; j < 32; j += 8) out[(x + j) * n + y + threadIdx.x] = tile[threadIdx.x][j];
}

// 64x64 halves, two to a thread's load and store.
extern "C" __global__ void transpose_half(const __half2* in, __half2* out, int n) {
    __shared__ __half tile[64][66];
    const int x = blockIdx.x * 64, y = blockIdx.y * 64;
    for (int j = threadIdx.y; j < 64; j += blockDim.y) {
        const __half2 pair = in[((y + j) * n + x) / 2 + threadIdx.x];
        tile[j][2 * threadIdx.x] = __low2half(pair);
        tile[j][2 * threadIdx.x + 1] = __high2half(pair);
    }
    __syncthreads();
    for (int j = threadIdx.y; j < 64; j += blockDim.y)
        out[((x + j) * n + y) / 2 + threadIdx.x] =
            __halves2half2(tile[2 * threadIdx.x][j], tile[2 * threadIdx.x + 1][j]);
}
