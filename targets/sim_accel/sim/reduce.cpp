// Reductions and arg-reductions, in the order that docs/sim_accel_isa.md declares.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "exec.h"

namespace sim {
namespace {

constexpr int kPartials = 16;
constexpr int kBlock = 64;  // outputs at a time

/// The kept and the reduced dimensions of an op, each in order.
struct Split {
    int kept[kMaxRank], reduced[kMaxRank];
    int n_kept = 0, n_reduced = 0;

    explicit Split(const Op& op) {
        for (int d = 0; d < op.rank; ++d) (op.dims >> d & 1 ? reduced[n_reduced++] : kept[n_kept++]) = d;
    }
};

/// Steps an index over some dimensions, last fastest; false after the last.
bool next(const Op& op, const int* dims, int n, int64_t* index) {
    for (int i = n - 1; i >= 0; --i) {
        if (++index[dims[i]] < op.size[dims[i]]) return true;
        index[dims[i]] = 0;
    }
    return false;
}

int64_t at(const Tile& t, int rank, const int64_t* index) {
    int64_t sum = 0;
    for (int d = 0; d < rank; ++d) sum += index[d] * t.stride[d];
    return t.addr + sum * t.size();
}

template <class T>
constexpr bool kFloat = std::is_same_v<T, float>;

template <class T>
void load(const Kernels& k, const uint8_t* p, int dtype, int64_t step, int n, T* out) {
    if constexpr (kFloat<T>) k.load_f32(p, dtype, step, n, out);
    else if constexpr (sizeof(T) == 4) k.load_i32(p, dtype, step, n, out);
    else k.load_i64(p, dtype, step, n, out);
}
template <class T>
void store(const Kernels& k, uint8_t* p, int dtype, int64_t step, int n, const T* in, bool sat) {
    if constexpr (kFloat<T>) k.store_f32(p, dtype, step, n, in, sat);
    else if constexpr (sizeof(T) == 4) k.store_i32(p, dtype, step, n, in, sat);
    else k.store_i64(p, dtype, step, n, in, sat);
}
template <class T>
void apply(const Kernels& k, int code, const T* a, const T* b, T* out, int n) {
    if constexpr (kFloat<T>) k.op_f32(code, a, b, nullptr, out, n);
    else if constexpr (sizeof(T) == 4) k.op_i32(code, a, b, nullptr, out, n);
    else k.op_i64(code, a, b, nullptr, out, n);
}

/// Whether `v` beats the best so far: strictly (or ties with `last`); NaN beats everything but an earlier NaN.
template <class T>
bool beats(T v, T best, bool maximum, bool last) {
    if constexpr (kFloat<T>) {
        if (v != v) return best == best || last;
        if (best != best) return false;
    }
    if (v == best) return last;
    return maximum ? v > best : v < best;
}

}  // namespace

template <class T>
void Executor::reduce(const Op& op) {
    const int code = op.opcode == OP_VRSUM ? OP_VADD : op.opcode == OP_VRPROD ? OP_VMUL : op.opcode == OP_VRMAX ? OP_VMAX : OP_VMIN;
    const Split dims(op);
    // Outputs are taken in blocks along the last kept dimension, unless the reduction is over the last one of all.
    const int across = dims.n_kept ? dims.kept[dims.n_kept - 1] : -1;
    const bool rows = across < 0 || across != op.rank - 1 || op.size[across] == 1;
    const int64_t width = rows ? 1 : op.size[across];
    const int inner = dims.reduced[dims.n_reduced - 1];
    T part[kPartials][kBlock], chunk[kPartials * kBlock];
    int64_t index[kMaxRank] = {};
    do {
        for (int64_t j = 0; j < width; j += kBlock) {
            const int n = static_cast<int>(std::min<int64_t>(kBlock, width - j));
            if (!rows) index[across] = j;
            int64_t r = 0;
            auto accumulate = [&](const T* values) {
                T* p = part[r % kPartials];
                if (r < kPartials) std::copy(values, values + n, p);
                else apply(k_, code, p, values, p, n);
                ++r;
            };
            int64_t start[kMaxRank];
            for (int i = 0; i < dims.n_reduced; ++i) index[dims.reduced[i]] = 0;
            if (rows) {
                // One output: a run along the innermost reduced dimension at a time, 16 partials as one vector.
                T lanes[kPartials] = {};
                const int64_t step = op.a.stride[inner] * op.a.size();
                std::copy(index, index + kMaxRank, start);
                do {
                    const uint8_t* p = sp_.data() + at(op.a, op.rank, start);
                    for (int64_t i = 0; i < op.size[inner];) {
                        const int count = static_cast<int>(std::min<int64_t>(kPartials * kBlock, op.size[inner] - i));
                        load(k_, p + i * step, op.a.dtype, step, count, chunk);
                        for (int e = 0; e < count;) {
                            const int lane = static_cast<int>(r % kPartials);
                            const int take = std::min(count - e, kPartials - lane);
                            if (r < kPartials) std::copy(chunk + e, chunk + e + take, lanes + lane);
                            else apply(k_, code, lanes + lane, chunk + e, lanes + lane, take);
                            e += take;
                            r += take;
                        }
                        i += count;
                    }
                    start[inner] = 0;
                } while (next(op, dims.reduced, dims.n_reduced - 1, start));
                for (int i = 0; i < kPartials; ++i) part[i][0] = lanes[i];
            } else {
                const int64_t step = op.a.stride[across] * op.a.size();
                do {
                    load(k_, sp_.data() + at(op.a, op.rank, index), op.a.dtype, step, n, chunk);
                    accumulate(chunk);
                } while (next(op, dims.reduced, dims.n_reduced, index));
            }
            for (int half = kPartials / 2; half; half /= 2)
                for (int i = 0; i < half; ++i)
                    if (i + half < r) apply(k_, code, part[i], part[i + half], part[i], n);
            for (int i = 0; i < dims.n_reduced; ++i) index[dims.reduced[i]] = 0;
            const int64_t step = rows ? 0 : op.dst.stride[across] * op.dst.size();
            uint8_t* out = sp_.data() + at(op.dst, op.rank, index);
            if (op.acc) {
                load(k_, out, op.dst.dtype, step, n, chunk);
                apply(k_, code, chunk, part[0], part[0], n);
            } else {
                apply<T>(k_, OP_VCOPY, part[0], nullptr, part[0], n);
            }
            store(k_, out, op.dst.dtype, rows ? op.dst.size() : step, n, part[0], op.sat);
        }
        if (!rows) index[across] = op.size[across] - 1;
    } while (next(op, dims.kept, dims.n_kept, index));
}

template <class T>
void Executor::arg(const Op& op) {
    const bool maximum = op.opcode == OP_VARGMAX;
    const Split dims(op);
    int64_t index[kMaxRank] = {};
    do {
        for (int i = 0; i < dims.n_reduced; ++i) index[dims.reduced[i]] = 0;
        uint8_t* value_at = sp_.data() + at(op.dst, op.rank, index);
        uint8_t* index_at = sp_.data() + at(op.b, op.rank, index);
        T best{};
        int64_t where = 0, r = 0;
        bool have = op.acc;
        if (op.acc) {
            load(k_, value_at, op.dst.dtype, 0, 1, &best);
            load(k_, index_at, op.b.dtype, 0, 1, &where);
        }
        do {
            T v;
            load(k_, sp_.data() + at(op.a, op.rank, index), op.a.dtype, 0, 1, &v);
            if (!have || beats(v, best, maximum, op.last)) best = v, where = static_cast<int64_t>(static_cast<uint64_t>(op.base) + static_cast<uint64_t>(r));
            have = true;
            ++r;
        } while (next(op, dims.reduced, dims.n_reduced, index));
        apply<T>(k_, OP_VCOPY, &best, nullptr, &best, 1);
        store(k_, value_at, op.dst.dtype, 8, 1, &best, op.sat);
        store(k_, index_at, op.b.dtype, 8, 1, &where, false);
    } while (next(op, dims.kept, dims.n_kept, index));
}

template void Executor::reduce<float>(const Op&);
template void Executor::reduce<int32_t>(const Op&);
template void Executor::reduce<int64_t>(const Op&);
template void Executor::arg<float>(const Op&);
template void Executor::arg<int32_t>(const Op&);
template void Executor::arg<int64_t>(const Op&);

}  // namespace sim
