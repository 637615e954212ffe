// Element-wise reductions in memory, one loop for each operation and type.
#include "ops/bulk_copy_reduce.h"

#include <cstring>

#include "ops/atomic_functions.h"
#include "ops/memory_access.h"

namespace emu {

namespace {

using namespace atomic_ops;

template <class T, class F, bool Flush = false>
void reduce(uint8_t* to, const uint8_t* from, uint64_t bytes, bool atomic) {
    for (uint64_t at = 0; at + sizeof(T) <= bytes; at += sizeof(T)) {
        const T b = load_plain<T>(from + at);
        const auto next = [b](T old) { return F{}(old, b, b, Flush); };
        if (atomic) update_atomic<T>(to + at, next);
        else store_plain<T>(to + at, next(load_plain<T>(to + at)));
    }
}

template <class F>
Reducer bits_reducer(Type type) {
    switch (type) {
        case Type::b32: case Type::u32: case Type::s32: return reduce<uint32_t, F>;
        case Type::b64: case Type::u64: case Type::s64: return reduce<uint64_t, F>;
        default: return nullptr;
    }
}

template <bool Max>
Reducer choose_reducer(Type type) {
    switch (type) {
        case Type::u32: return reduce<uint32_t, Choose<uint32_t, Max>>;
        case Type::s32: return reduce<uint32_t, Choose<int32_t, Max>>;
        case Type::u64: return reduce<uint64_t, Choose<uint64_t, Max>>;
        case Type::s64: return reduce<uint64_t, Choose<int64_t, Max>>;
        case Type::f16: return reduce<uint16_t, ChooseNarrow<Half, Max>>;
        case Type::bf16: return reduce<uint16_t, ChooseNarrow<Brain, Max>>;
        default: return nullptr;
    }
}

Reducer add_reducer(Type type, bool flush) {
    switch (type) {
        case Type::u32: case Type::s32: return reduce<uint32_t, Add>;
        case Type::u64: case Type::s64: return reduce<uint64_t, Add>;
        case Type::f32: return flush ? reduce<uint32_t, AddF32, true> : reduce<uint32_t, AddF32>;
        case Type::f64: return reduce<uint64_t, AddF64>;
        case Type::f16: return reduce<uint16_t, AddNarrow<Half>>;
        case Type::bf16: return reduce<uint16_t, AddNarrow<Brain>>;
        default: return nullptr;
    }
}

}  // namespace

Reducer reducer(ReduceOp op, Type type, bool flush) {
    switch (op) {
        case ReduceOp::add: return add_reducer(type, flush);
        case ReduceOp::min: return choose_reducer<false>(type);
        case ReduceOp::max: return choose_reducer<true>(type);
        case ReduceOp::inc: return type == Type::u32 ? reduce<uint32_t, Increment> : nullptr;
        case ReduceOp::dec: return type == Type::u32 ? reduce<uint32_t, Decrement> : nullptr;
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
