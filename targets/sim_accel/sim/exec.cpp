#include "exec.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sim {
namespace {

constexpr int kChunk = 512;
constexpr int kColumns = 32;  // what gemm pads to

/// Walks the outer dimensions of a shape; f(index) for each.
template <class F>
void walk(int rank, const int64_t* size, F f) {
    int64_t index[kMaxRank] = {};
    for (int d = 0; d < rank; ++d)
        if (size[d] == 0) return;
    for (;;) {
        f(index);
        int d = rank - 1;
        for (; d >= 0; --d) {
            if (++index[d] < size[d]) break;
            index[d] = 0;
        }
        if (d < 0) return;
    }
}

int64_t offset(const Tile& t, int rank, const int64_t* index) {
    int64_t at = 0;
    for (int d = 0; d < rank; ++d) at += index[d] * t.stride[d];
    return at * t.size();
}

/// Drops dimensions of size 1 and merges neighbours that every tile walks as one.
int coalesce(int rank, int64_t* size, std::initializer_list<Tile*> tiles) {
    int kept = 0;
    for (int d = 0; d < rank; ++d) {
        if (size[d] == 1 && (kept || d + 1 < rank)) {
            continue;
        }
        bool merge = kept > 0;
        for (Tile* t : tiles) merge = merge && t->stride[kept - 1] == t->stride[d] * size[d];
        if (merge) {
            size[kept - 1] *= size[d];
            for (Tile* t : tiles) t->stride[kept - 1] = t->stride[d];
        } else {
            size[kept] = size[d];
            for (Tile* t : tiles) t->stride[kept] = t->stride[d];
            ++kept;
        }
    }
    return kept;
}

template <class T>
struct Typed;
template <>
struct Typed<float> {
    static void load(const Kernels& k, const uint8_t* p, int dtype, int64_t step, int n, float* out) { k.load_f32(p, dtype, step, n, out); }
    static void store(const Kernels& k, uint8_t* p, int dtype, int64_t step, int n, const float* in, bool sat) { k.store_f32(p, dtype, step, n, in, sat); }
    static void op(const Kernels& k, int code, const float* a, const float* b, const float* c, float* out, int n) { k.op_f32(code, a, b, c, out, n); }
    static float immediate(int64_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }
};
template <>
struct Typed<int32_t> {
    static void load(const Kernels& k, const uint8_t* p, int dtype, int64_t step, int n, int32_t* out) { k.load_i32(p, dtype, step, n, out); }
    static void store(const Kernels& k, uint8_t* p, int dtype, int64_t step, int n, const int32_t* in, bool sat) { k.store_i32(p, dtype, step, n, in, sat); }
    static void op(const Kernels& k, int code, const int32_t* a, const int32_t* b, const int32_t* c, int32_t* out, int n) { k.op_i32(code, a, b, c, out, n); }
    static int32_t immediate(int64_t bits) { return static_cast<int32_t>(bits); }
};
template <>
struct Typed<int64_t> {
    static void load(const Kernels& k, const uint8_t* p, int dtype, int64_t step, int n, int64_t* out) { k.load_i64(p, dtype, step, n, out); }
    static void store(const Kernels& k, uint8_t* p, int dtype, int64_t step, int n, const int64_t* in, bool sat) { k.store_i64(p, dtype, step, n, in, sat); }
    static void op(const Kernels& k, int code, const int64_t* a, const int64_t* b, const int64_t* c, int64_t* out, int n) { k.op_i64(code, a, b, c, out, n); }
    static int64_t immediate(int64_t bits) { return bits; }
};

}  // namespace

Executor::Executor(const Config& config, const Kernels& kernels)
    : config_(config), k_(kernels), sp_(static_cast<size_t>(config.sp_bytes)) {}

void Executor::execute(const Op& op) {
    if (op.opcode == OP_MM_LOAD) return load_weights(op);
    if (op.elements() == 0) return;
    switch (op.opcode) {
        case OP_DMA_LOAD:
        case OP_DMA_STORE:
        case OP_DMA_GATHER:
        case OP_DMA_SCATTER: return copy(op);
        case OP_MM_MUL:
            return op.dst.dtype == DT_F32 ? multiply(op, weights_f32_) : multiply(op, weights_i32_);
        case OP_VIOTA: return iota(op);
        case OP_VGATHER: return gather(op);
        case OP_VRSUM:
        case OP_VRPROD:
        case OP_VRMAX:
        case OP_VRMIN:
            return op.ctype == CT_F32 ? reduce<float>(op) : op.ctype == CT_I32 ? reduce<int32_t>(op) : reduce<int64_t>(op);
        case OP_VARGMAX:
        case OP_VARGMIN: return op.ctype == CT_F32 ? arg<float>(op) : op.ctype == CT_I32 ? arg<int32_t>(op) : arg<int64_t>(op);
        default:
            return op.ctype == CT_F32 ? elementwise<float>(op) : op.ctype == CT_I32 ? elementwise<int32_t>(op) : elementwise<int64_t>(op);
    }
}

int64_t Executor::load_integer(int64_t addr, int dtype) const {
    int64_t v;
    k_.load_i64(sp_.data() + addr, dtype, 0, 1, &v);
    return v;
}

/// n elements with steps in bytes; equal types keep their bits.
void Executor::copy_row(uint8_t* dst, int dst_type, int64_t dst_step, const uint8_t* src, int src_type, int64_t src_step, int64_t n, bool sat) {
    const int size = kDtypeBytes[dst_type];
    if (dst_type == src_type) {
        if (dst_step == size && src_step == size) {
            std::memmove(dst, src, static_cast<size_t>(n * size));
            return;
        }
        auto each = [&](auto word) {
            for (int64_t i = 0; i < n; ++i) {
                std::memcpy(&word, src + i * src_step, sizeof word);
                std::memcpy(dst + i * dst_step, &word, sizeof word);
            }
        };
        return size == 1 ? each(uint8_t{}) : size == 2 ? each(uint16_t{}) : size == 4 ? each(uint32_t{}) : each(uint64_t{});
    }
    float buffer[kChunk];
    for (int64_t i = 0; i < n; i += kChunk) {
        const int count = static_cast<int>(std::min<int64_t>(kChunk, n - i));
        k_.load_f32(src + i * src_step, src_type, src_step, count, buffer);
        k_.store_f32(dst + i * dst_step, dst_type, dst_step, count, buffer, sat);
    }
}

void Executor::copy(const Op& in) {
    Op op = in;
    Tile& dram = op.is_load() ? op.a : op.dst;
    Tile& local = op.is_load() ? op.dst : op.a;
    if (!op.bounded) {
        op.rank = coalesce(op.rank, op.size, {&dram, &local});
        for (int d = 0; d < op.rank; ++d) op.pos[d] = 0, op.step[d] = 1, op.first[d] = 0, op.inside[d] = op.bound[d] = op.size[d];
    }
    const int last = op.rank - 1;
    const int64_t n = op.size[last];
    const int local_size = local.size();
    alignas(8) uint8_t fill[8] = {};
    if (local.dtype <= DT_E5M2) {
        const float v = std::bit_cast<float>(op.fill);
        k_.store_f32(fill, local.dtype, 8, 1, &v, false);
    } else {
        const int32_t v = static_cast<int32_t>(op.fill);
        k_.store_i32(fill, local.dtype, 8, 1, &v, false);
    }
    auto fill_row = [&](uint8_t* at, int64_t count) {
        const int64_t step = local.stride[last] * local_size;
        for (int64_t i = 0; i < count; ++i) std::memcpy(at + i * step, fill, static_cast<size_t>(local_size));
    };
    auto coordinate = [&](int d, int64_t i, bool& ok) {
        int64_t c = op.pos[d] + i * op.step[d];
        if (d == 0 && op.is_gather()) {
            int64_t index;
            k_.load_i64(sp_.data() + op.b.addr + i * op.b.stride[0] * op.b.size(), op.b.dtype, 0, 1, &index);
            // Far outside every tensor: keep the arithmetic from overflowing.
            index = std::clamp<int64_t>(index, -(1ll << 41), 1ll << 41);
            c = op.pos[0] + index * op.step[0];
        }
        ok = ok && c >= 0 && c < op.bound[d];
        return c;
    };
    const bool indexed_row = op.is_gather() && last == 0;  // a 1-d gather: every element has its own coordinate
    walk(indexed_row ? 1 : last, op.size, [&](const int64_t* index) {
        bool ok = true;
        int64_t at = dram.addr, local_at = local.addr;
        for (int d = 0; d < (indexed_row ? 1 : last); ++d) {
            const int64_t c = coordinate(d, index[d], ok);
            if (ok) at += c * dram.stride[d] * dram.size();
            local_at += index[d] * local.stride[d] * local_size;
        }
        uint8_t* sp = sp_.data() + local_at;
        const int64_t count = indexed_row ? 1 : n;
        const int64_t first = indexed_row ? 0 : op.first[last], inside = indexed_row ? 1 : op.inside[last];
        if (!ok || inside == 0) {
            if (op.is_load()) fill_row(sp, count);
            return;
        }
        const int64_t local_step = local.stride[last] * local_size;
        if (op.is_load()) fill_row(sp, first);
        const int64_t start = indexed_row ? 0 : op.pos[last] + first * op.step[last];
        uint8_t* mem = reinterpret_cast<uint8_t*>(reinterpret_cast<uintptr_t>(dram.dram) + static_cast<uintptr_t>(at + start * dram.stride[last] * dram.size()));
        const int64_t step = dram.stride[last] * op.step[last] * dram.size();
        if (op.is_load()) {
            copy_row(sp + first * local_step, local.dtype, local_step, mem, dram.dtype, step, inside, false);
            fill_row(sp + (first + inside) * local_step, count - first - inside);
        } else {
            copy_row(mem, dram.dtype, step, sp + first * local_step, local.dtype, local_step, inside, false);
        }
    });
}

void Executor::load_weights(const Op& op) {
    weight_k_ = op.k;
    weight_n_ = op.n;
    const int64_t width = (op.n + kColumns - 1) / kColumns * kColumns;
    const int64_t ld = op.a.stride[0] * op.a.size(), one = op.a.size();
    const bool floating = op.a.dtype <= DT_E5M2;
    weights_f32_.assign(floating ? static_cast<size_t>(op.k * width) : 0, 0.0f);
    weights_i32_.assign(floating ? 0 : static_cast<size_t>(op.k * width), 0);
    for (int64_t i = 0; i < op.k; ++i) {
        const uint8_t* row = sp_.data() + op.a.addr + i * (op.trans ? one : ld);
        const int64_t step = op.trans ? ld : one;
        if (op.n == 0) continue;
        if (floating) k_.load_f32(row, op.a.dtype, step, static_cast<int>(op.n), weights_f32_.data() + i * width);
        else k_.load_i32(row, op.a.dtype, step, static_cast<int>(op.n), weights_i32_.data() + i * width);
    }
}

template <class T>
void Executor::multiply(const Op& op, const std::vector<T>& weights) {
    using Y = Typed<T>;
    constexpr int kBlock = 96;
    const int64_t k = weight_k_, n = weight_n_;
    if (n == 0) return;
    const int64_t width = (n + kColumns - 1) / kColumns * kColumns;
    std::vector<T> act(static_cast<size_t>(kBlock * k)), acc(static_cast<size_t>(kBlock * width));
    uint8_t* outs[kBlock];
    int rows = 0;
    auto flush = [&] {
        // gemm steps through k in chunks that keep the weights' slice in the cache; the order along k is kept.
        if (std::is_same_v<T, float>)
            k_.gemm_f32(reinterpret_cast<const float*>(act.data()), k, reinterpret_cast<const float*>(weights.data()), width,
                        reinterpret_cast<float*>(acc.data()), width, rows, static_cast<int>(k), static_cast<int>(n));
        else
            k_.gemm_i32(reinterpret_cast<const int32_t*>(act.data()), k, reinterpret_cast<const int32_t*>(weights.data()), width,
                        reinterpret_cast<int32_t*>(acc.data()), width, rows, static_cast<int>(k), static_cast<int>(n));
        for (int r = 0; r < rows; ++r) {
            T* row = acc.data() + r * width;
            Y::op(k_, OP_VCOPY, row, nullptr, nullptr, row, static_cast<int>(n));
            std::memcpy(outs[r], row, static_cast<size_t>(n) * sizeof(T));
        }
        rows = 0;
    };
    walk(op.rank, op.size, [&](const int64_t* index) {
        const uint8_t* in = sp_.data() + op.a.addr + offset(op.a, op.rank, index);
        uint8_t* out = sp_.data() + op.dst.addr + offset(op.dst, op.rank, index);
        outs[rows] = out;
        if (k) Y::load(k_, in, op.a.dtype, op.kstride * op.a.size(), static_cast<int>(k), act.data() + rows * k);
        T* row = acc.data() + rows * width;
        if (op.acc) std::memcpy(row, out, static_cast<size_t>(n) * sizeof(T));
        else std::fill(row, row + n, T(0));
        if (++rows == kBlock) flush();
    });
    if (rows) flush();
}

template <class T>
void Executor::elementwise(const Op& in) {
    using Y = Typed<T>;
    Op op = in;
    const bool has_b = op.opcode < OP_VCOPY, has_c = op.opcode == OP_VFMA || op.opcode == OP_VSELECT;
    // Immediates are tiles of stride 0 that never get loaded.
    if (op.kind_a) op.a = Tile{};
    if (op.kind_b || !has_b) op.b = Tile{};
    if (op.kind_c || !has_c) op.c = Tile{};
    op.rank = coalesce(op.rank, op.size, {&op.dst, &op.a, &op.b, &op.c});
    const int last = op.rank - 1;
    T a[kChunk], b[kChunk], c[kChunk], out[kChunk];
    const bool load_a = !op.kind_a, load_b = has_b && !op.kind_b, load_c = has_c && !op.kind_c;
    std::fill(a, a + kChunk, Y::immediate(op.imm_a));
    std::fill(b, b + kChunk, Y::immediate(op.imm_b));
    std::fill(c, c + kChunk, Y::immediate(op.imm_c));
    const bool raw = op.opcode == OP_VCOPY && load_a && op.dst.dtype == op.a.dtype;
    walk(last, op.size, [&](const int64_t* index) {
        uint8_t* dst = sp_.data() + op.dst.addr + offset(op.dst, last, index);
        const int64_t step = op.dst.stride[last] * op.dst.size();
        if (raw) {
            copy_row(dst, op.dst.dtype, step, sp_.data() + op.a.addr + offset(op.a, last, index), op.a.dtype, op.a.stride[last] * op.a.size(), op.size[last], false);
            return;
        }
        for (int64_t i = 0; i < op.size[last]; i += kChunk) {
            const int n = static_cast<int>(std::min<int64_t>(kChunk, op.size[last] - i));
            auto fetch = [&](const Tile& t, T* to) {
                const int64_t s = t.stride[last] * t.size();
                Y::load(k_, sp_.data() + t.addr + offset(t, last, index) + i * s, t.dtype, s, n, to);
            };
            if (load_a) fetch(op.a, a);
            if (load_b) fetch(op.b, b);
            if (load_c) fetch(op.c, c);
            Y::op(k_, op.opcode, a, b, c, out, n);
            Y::store(k_, dst + i * step, op.dst.dtype, step, n, out, op.sat);
        }
    });
}

void Executor::iota(const Op& op) {
    walk(op.rank, op.size, [&](const int64_t* index) {
        const int64_t v = static_cast<int64_t>(static_cast<uint64_t>(op.start) + static_cast<uint64_t>(op.inc) * static_cast<uint64_t>(index[op.dim]));
        k_.store_i64(sp_.data() + op.dst.addr + offset(op.dst, op.rank, index), op.dst.dtype, 8, 1, &v, op.sat);
    });
}

void Executor::gather(const Op& op) {
    const int size = op.dst.size();
    walk(op.rank, op.size, [&](const int64_t* index) {
        int64_t at;
        k_.load_i64(sp_.data() + op.a.addr + offset(op.a, op.rank, index), op.a.dtype, 0, 1, &at);
        uint8_t value[8] = {};
        if (at >= 0 && at < op.count) std::memcpy(value, sp_.data() + op.b.addr + at * op.b.stride[0] * size, static_cast<size_t>(size));
        std::memcpy(sp_.data() + op.dst.addr + offset(op.dst, op.rank, index), value, static_cast<size_t>(size));
    });
}

}  // namespace sim
