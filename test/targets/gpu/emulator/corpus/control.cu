// Divergence of every sort: loops of different length, breaks out of nests, jump tables, recursion, calls through
// pointers and virtual tables, and warps whose lanes wait for each other.

#include <new>

// Steps until 1 for every start: lanes leave one by one.
extern "C" __global__ void collatz(const unsigned* start, unsigned* steps, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned long long value = start[i];
    unsigned count = 0;
    while (value != 1) {
        value = value & 1 ? 3 * value + 1 : value / 2;
        ++count;
    }
    steps[i] = count;
}

// Breaks and continues out of three nested loops, all by data.
extern "C" __global__ void nested_loops(const int* in, int* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int key = in[i];
    int sum = 0;
    for (int a = 0; a < 12; ++a) {
        if ((a ^ key) % 5 == 3) continue;
        for (int b = a; b < 12; ++b) {
            if ((key >> (b % 8)) & 1) {
                if (b > 9) break;
                continue;
            }
            int c = 0;
            while (true) {
                sum += a * b + c;
                if (++c > (key & 7)) break;
                if ((sum & 63) == 17) goto next;
            }
            if (sum > 5000) goto done;
        }
    next:;
        sum ^= a;
    }
done:
    out[i] = sum;
}

// A dense switch, for a branch table, with fall-through.
extern "C" __global__ void switch_table(const unsigned* op, const int* x, int* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int value = x[i];
    for (unsigned step = 0; step < 4; ++step) {
        switch ((op[i] >> (4 * step)) & 15) {
            case 0: value += 7; break;
            case 1: value *= 3;
            case 2: value -= 11; break;
            case 3: value ^= value >> 3; break;
            case 4: value = -value; break;
            case 5: value <<= 2;
            case 6: value |= 0x10; 
            case 7: value = value % 1000; break;
            case 8: value = value / 3; break;
            case 9: for (int j = 0; j < (value & 7); ++j) value += j * j; break;
            case 10: out[i] = value; return;
            case 11: value = __popc(value); break;
            case 12: value = min(value, 100); break;
            default: value += static_cast<int>(step); break;
        }
    }
    out[i] = value;
}

// Recursion, with a frame of locals in each call.
__device__ __noinline__ unsigned ackermann(unsigned m, unsigned n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

__device__ __noinline__ int sum_digits(const int* digits, int from, int to) {
    int copy[4];
    if (to - from <= 4) {
        for (int i = from; i < to; ++i) copy[i - from] = digits[i];
        int sum = 0;
        for (int i = to - from; i-- > 0;) sum = 3 * sum + copy[i];
        return sum;
    }
    const int middle = (from + to) / 2;
    return sum_digits(digits, from, middle) - sum_digits(digits, middle, to);
}

extern "C" __global__ void recursion(const unsigned* n, unsigned* out, const int* digits, int* sums) {
    const int i = threadIdx.x;
    out[i] = ackermann(i % 3, n[i]);
    sums[i] = sum_digits(digits, i % 7, i % 7 + n[i] * 5);
}

// Function pointers: from a table in constant memory, chosen by each lane.
__device__ __noinline__ float twice(float x) { return x * 2; }
__device__ __noinline__ float minus_one(float x) { return x - 1; }
__device__ __noinline__ float square(float x) { return x * x; }
__device__ __noinline__ float keep(float x) { return x; }
using Function = float (*)(float);
__constant__ Function table[4] = {twice, minus_one, square, keep};
__device__ Function chosen = square;

extern "C" __global__ void function_pointers(const int* which, const float* x, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float value = x[i];
    for (int step = 0; step < 3; ++step) value = table[(which[i] >> (2 * step)) & 3](value);
    out[i] = chosen(value);
}

// Virtual calls on objects made on the device.
struct Shape {
    float size;
    __device__ explicit Shape(float s) : size(s) {}
    __device__ virtual float area() const = 0;
    __device__ virtual float corners() const { return 0; }
    __device__ virtual ~Shape() {}
};
struct Square : Shape {
    __device__ explicit Square(float s) : Shape(s) {}
    __device__ float area() const override { return size * size; }
    __device__ float corners() const override { return 4; }
};
struct Circle : Shape {
    __device__ explicit Circle(float s) : Shape(s) {}
    __device__ float area() const override { return 3.0f * size * size; }
};
struct Triangle : Shape {
    float height;
    __device__ explicit Triangle(float s) : Shape(s), height(s / 2) {}
    __device__ float area() const override { return size * height / 2; }
    __device__ float corners() const override { return 3; }
};

extern "C" __global__ void make_shapes(const int* kind, const float* size, unsigned char* memory, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    void* at = memory + 32 * i;
    if (kind[i] == 0) new (at) Square(size[i]);
    else if (kind[i] == 1) new (at) Circle(size[i]);
    else new (at) Triangle(size[i]);
}

extern "C" __global__ void use_shapes(const unsigned char* memory, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const Shape* shape = reinterpret_cast<const Shape*>(memory + 32 * i);
    out[i] = shape->area() + 1000.0f * shape->corners();
}

// A lock of one word taken by every lane of a warp, one after the other: ends only if lanes go on independently.
extern "C" __global__ void spin_lock(int* lock, int* order, int* count) {
    while (atomicCAS(lock, 0, 1) != 0) {}
    __threadfence();
    const int at = *reinterpret_cast<volatile int*>(count);
    order[at] = blockIdx.x * blockDim.x + threadIdx.x;
    *reinterpret_cast<volatile int*>(count) = at + 1;
    __threadfence();
    atomicExch(lock, 0);
}

// The even lanes of a warp produce, the odd ones wait for them in a loop, and the other way round.
extern "C" __global__ void lanes_ping_pong(int* out, int rounds) {
    __shared__ volatile int flag[32];
    __shared__ volatile int box[32];
    const int lane = threadIdx.x, pair = lane / 2;
    flag[lane] = 0, box[lane] = 0;
    __syncwarp();
    int value = lane;
    for (int round = 0; round < rounds; ++round) {
        if (lane % 2 == 0) {
            box[pair] = value * 3 + 1;
            __threadfence_block();
            flag[pair] = 2 * round + 1;
            while (flag[pair] != 2 * round + 2) {}
            __threadfence_block();
            value = box[pair];
        } else {
            while (flag[pair] != 2 * round + 1) {}
            __threadfence_block();
            value = box[pair] + lane;
            box[pair] = value ^ 5;
            __threadfence_block();
            flag[pair] = 2 * round + 2;
        }
    }
    out[lane] = value;
}

// Each lane waits for the one before it, in order of lanes: a chain through one warp and on to the next.
extern "C" __global__ void lanes_in_turn(unsigned* turn, unsigned* out) {
    const unsigned me = threadIdx.x;
    unsigned seen;
    do {
        asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(seen) : "l"(turn) : "memory");
    } while (seen != me);
    out[me] = me == 0 ? 1 : out[me - 1] * 3 + me;
    asm volatile("st.release.gpu.u32 [%0], %1;" ::"l"(turn), "r"(me + 1) : "memory");
}

// Early exits: lanes and warps that have left count no more at the warp's operations.
extern "C" __global__ void early_exit(const int* in, int* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n || in[i] < 0) return;
    if (in[i] % 7 == 0) {
        out[i] = -1;
        return;
    }
    const unsigned mask = __activemask();
    int sum = 0;
    for (int value = in[i]; value > 0; value /= 10) sum += value % 10;
    out[i] = mask != 0 ? sum : -2;
}
