// Element-wise reductions in memory, one loop for each operation and type.
#include "ops/bulk_copy_reduce.h"

#include <cstring>

#include "numerics/formats.h"
#include "ops/memory_access.h"

namespace emu {

namespace {

template <class T, class F>
void reduce(uint8_t* to, const uint8_t* from, uint64_t bytes, bool atomic) {
    const uint64_t count = bytes / sizeof(T);
    if (!atomic) {
        for (uint64_t k = 0; k < count; ++k) {
            const T b = load_plain<T>(from + k * sizeof(T));
            store_plain<T>(to + k * sizeof(T), F{}(load_plain<T>(to + k * sizeof(T)), b));
        }
        return;
    }
    for (uint64_t k = 0; k < count; ++k) {
        const T b = load_plain<T>(from + k * sizeof(T));
        update_atomic<T>(to + k * sizeof(T), [b](T a) { return F{}(a, b); });
    }
}

// Integers; add wraps.
struct Add {
    template <class T>
    T operator()(T a, T b) const { return static_cast<T>(a + b); }
};
struct And {
    template <class T>
    T operator()(T a, T b) const { return static_cast<T>(a & b); }
};
struct Or {
    template <class T>
    T operator()(T a, T b) const { return static_cast<T>(a | b); }
};
struct Xor {
    template <class T>
    T operator()(T a, T b) const { return static_cast<T>(a ^ b); }
};
struct Min {
    template <class T>
    T operator()(T a, T b) const { return b < a ? b : a; }
};
struct Max {
    template <class T>
    T operator()(T a, T b) const { return a < b ? b : a; }
};
struct Inc {
    uint32_t operator()(uint32_t a, uint32_t b) const { return a >= b ? 0 : a + 1; }
};
struct Dec {
    uint32_t operator()(uint32_t a, uint32_t b) const { return a == 0 || a > b ? b : a - 1; }
};

// Floats, by their bits. Sums of f16 and bf16 are exact enough in f32 that rounding them again is rounding once.
struct AddF32 {
    uint32_t operator()(uint32_t a, uint32_t b) const { return num::bits(num::canonical(num::real(a) + num::real(b))); }
};
struct AddF32Flush {
    uint32_t operator()(uint32_t a, uint32_t b) const {
        return num::bits(num::flush(num::canonical(num::flush(num::real(a)) + num::flush(num::real(b)))));
    }
};
struct AddF64 {
    uint64_t operator()(uint64_t a, uint64_t b) const { return num::bits(num::real(a) + num::real(b)); }
};
struct F16 {
    static float wide(uint16_t h) { return num::f16_to_f32(h); }
    static uint16_t narrow(float x) { return num::f32_to_f16(x); }
    static constexpr uint16_t kInfinity = 0x7c00;
};
struct Bf16 {
    static float wide(uint16_t h) { return num::bf16_to_f32(h); }
    static uint16_t narrow(float x) { return num::f32_to_bf16(x); }
    static constexpr uint16_t kInfinity = 0x7f80;
};
template <class H>
struct AddHalf {
    uint16_t operator()(uint16_t a, uint16_t b) const { return H::narrow(H::wide(a) + H::wide(b)); }
};
template <class H, bool Largest>
struct PickHalf {
    uint16_t operator()(uint16_t a, uint16_t b) const {
        const bool a_nan = (a & 0x7fff) > H::kInfinity, b_nan = (b & 0x7fff) > H::kInfinity;
        if (a_nan) return b_nan ? 0x7fff : b;
        if (b_nan) return a;
        // Sign and magnitude, in an order where -0 comes before +0.
        const auto key = [](uint16_t h) { return (h & 0x8000) ? -1 - (h & 0x7fff) : int{h}; };
        return (key(a) < key(b)) == Largest ? b : a;
    }
};

template <class F>
Reducer bits_reducer(Type type) {
    switch (type) {
        case Type::b32: case Type::u32: case Type::s32: return reduce<uint32_t, F>;
        case Type::b64: case Type::u64: case Type::s64: return reduce<uint64_t, F>;
        default: return nullptr;
    }
}

template <class F>
Reducer order_reducer(Type type) {
    switch (type) {
        case Type::u32: return reduce<uint32_t, F>;
        case Type::s32: return reduce<int32_t, F>;
        case Type::u64: return reduce<uint64_t, F>;
        case Type::s64: return reduce<int64_t, F>;
        default: return nullptr;
    }
}

Reducer add_reducer(Type type, bool flush) {
    switch (type) {
        case Type::u32: case Type::s32: return reduce<uint32_t, Add>;
        case Type::u64: case Type::s64: return reduce<uint64_t, Add>;
        case Type::f32: return flush ? reduce<uint32_t, AddF32Flush> : reduce<uint32_t, AddF32>;
        case Type::f64: return reduce<uint64_t, AddF64>;
        case Type::f16: return reduce<uint16_t, AddHalf<F16>>;
        case Type::bf16: return reduce<uint16_t, AddHalf<Bf16>>;
        default: return nullptr;
    }
}

}  // namespace

Reducer reducer(ReduceOp op, Type type, bool flush) {
    switch (op) {
        case ReduceOp::add: return add_reducer(type, flush);
        case ReduceOp::min:
            if (type == Type::f16) return reduce<uint16_t, PickHalf<F16, false>>;
            if (type == Type::bf16) return reduce<uint16_t, PickHalf<Bf16, false>>;
            return order_reducer<Min>(type);
        case ReduceOp::max:
            if (type == Type::f16) return reduce<uint16_t, PickHalf<F16, true>>;
            if (type == Type::bf16) return reduce<uint16_t, PickHalf<Bf16, true>>;
            return order_reducer<Max>(type);
        case ReduceOp::inc: return type == Type::u32 ? reduce<uint32_t, Inc> : nullptr;
        case ReduceOp::dec: return type == Type::u32 ? reduce<uint32_t, Dec> : nullptr;
        case ReduceOp::and_: return bits_reducer<And>(type);
        case ReduceOp::or_: return bits_reducer<Or>(type);
        case ReduceOp::xor_: return bits_reducer<Xor>(type);
    }
    return nullptr;
}

bool reduce_op(const char* word, ReduceOp& op) {
    static constexpr const char* names[] = {"add", "min", "max", "inc", "dec", "and", "or", "xor"};
    for (uint8_t k = 0; k < 8; ++k) {
        if (std::strcmp(word, names[k]) == 0) {
            op = static_cast<ReduceOp>(k);
            return true;
        }
    }
    return false;
}

}  // namespace emu
