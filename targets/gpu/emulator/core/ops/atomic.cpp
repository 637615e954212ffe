// atom and red: which forms there are, and how the lanes' operations are carried out; the operations themselves are in
// atomic_functions.h.
#include "ops/atomic_functions.h"

#include "ops/memory_access.h"

namespace emu {
namespace {

using namespace atomic_ops;

/// What an atomic instruction keeps besides its Inst.
struct Atomic {
    Order order = Order::relaxed;
    Scope scope = Scope::gpu;
    bool cluster = false;
    bool returns = true;     // atom; red does not
    Slot d[8] = {}, b[8] = {}, c = kNone;  // by element
};

/// Lanes one after the other, lowest first; within a lane, elements one after the other, each atomic for itself. Sums
/// of f32 flush subnormals in global memory, and keep them in shared memory.
template <class T, class F, int N = 1>
void run(Warp& w, const Inst& i, Mask mask) {
    constexpr uint32_t bytes = sizeof(T) * N;
    const auto& s = i.as<Atomic>();
    alignas(64) uint64_t address[kLanes];
    w.addresses(i, address);
    alignas(64) T result[N][kLanes] = {};
    const T* b[N];
    for (int e = 0; e < N; ++e) b[e] = w.get<T>(s.b[e]);
    const T* c = s.c == kNone ? b[0] : w.get<T>(s.c);
    auto plain = [&](uint8_t* at, int l, bool global) {
        for (int e = 0; e < N; ++e) {
            const T old = load_plain<T>(at + e * sizeof(T));
            store_plain<T>(at + e * sizeof(T), F{}(old, b[e][l], c[l], global));
            result[e][l] = old;
        }
    };
    auto contend = [&](uint8_t* at, int l, bool global) {
        for (int e = 0; e < N; ++e) {
            result[e][l] = update_atomic<T>(at + e * sizeof(T), [&](T old) { return F{}(old, b[e][l], c[l], global); });
        }
    };
    Flat f;
    if (w.sanitizer == nullptr && flat<bytes>(w, i, mask, i.space, address, true, s.cluster, f)) {
        const bool global = f.space == Space::global;
        if (contended(w, f.space)) {
            each_lane(mask, [&](int l) { contend(f.at(address, l), l, global); });
        } else if (N == 1 && f.pattern == Pattern::uniform) {
            uint8_t* at = f.straight(address, f.first);
            T value = load_plain<T>(at);
            each_lane(mask, [&](int l) {
                result[0][l] = value;
                value = F{}(value, b[0][l], c[l], global);
            });
            store_plain<T>(at, value);
        } else {
            each_lane(mask, [&](int l) { plain(f.at(address, l), l, global); });
        }
        count_flat<bytes>(w, i, mask, address, f);
    } else {
        Resolved r;
        resolve(w, i, mask, i.space, address, bytes, bytes, true, r, s.cluster);
        mask = r.ok;
        if (mask == 0) return;
        if (w.sanitizer != nullptr) {
            w.sanitizer->access(w, i, mask, r, bytes,
                                {.read = true, .write = true, .atomic = true, .order = s.order, .scope = s.scope});
        }
        const bool threads = w.launch->options.threads > 1;
        each_lane(mask, [&](int l) {
            const Space space = r.region[l]->space;
            const bool global = space != Space::shared && space != Space::local;
            if (threads && global) contend(r.host[l], l, global);
            else plain(r.host[l], l, global);
        });
        count_memory(w, i, mask, i.space, address, bytes);
    }
    if (!s.returns) return;
    for (int e = 0; e < N; ++e) w.put(s.d[e], result[e], mask);
    w.polled();
}

/// The handler for F on elements of 1, 2, 4 or 8.
template <class T, class F>
Handler by_elements(uint32_t elements) {
    switch (elements) {
        case 1: return run<T, F, 1>;
        case 2: return run<T, F, 2>;
        case 4: return run<T, F, 4>;
        default: return run<T, F, 8>;
    }
}

Handler integer_handler(const Decode& d, Type type) {
    const bool wide = bytes_of(type) == 8;
    if (d.has("and")) return wide ? run<uint64_t, And> : run<uint32_t, And>;
    if (d.has("or")) return wide ? run<uint64_t, Or> : run<uint32_t, Or>;
    if (d.has("xor")) return wide ? run<uint64_t, Xor> : run<uint32_t, Xor>;
    if (d.has("add")) return wide ? run<uint64_t, Add> : run<uint32_t, Add>;
    if (d.has("inc")) return run<uint32_t, Increment>;
    if (d.has("dec")) return run<uint32_t, Decrement>;
    if (d.has("exch")) {
        return type == Type::b128 ? run<U128, Exchange> : wide ? run<uint64_t, Exchange> : run<uint32_t, Exchange>;
    }
    if (d.has("cas")) {
        switch (type) {
            case Type::b16: return run<uint16_t, CompareAndSwap>;
            case Type::b32: return run<uint32_t, CompareAndSwap>;
            case Type::b64: return run<uint64_t, CompareAndSwap>;
            default: return run<U128, CompareAndSwap>;
        }
    }
    const bool max = d.has("max");
    switch (type) {
        case Type::u32: return max ? run<uint32_t, Choose<uint32_t, true>> : run<uint32_t, Choose<uint32_t, false>>;
        case Type::s32: return max ? run<uint32_t, Choose<int32_t, true>> : run<uint32_t, Choose<int32_t, false>>;
        case Type::u64: return max ? run<uint64_t, Choose<uint64_t, true>> : run<uint64_t, Choose<uint64_t, false>>;
        default: return max ? run<uint64_t, Choose<int64_t, true>> : run<uint64_t, Choose<int64_t, false>>;
    }
}

template <class H>
Handler narrow_handler(const Decode& d, bool packed, uint32_t elements) {
    auto handler = [&]<class F>(F) {
        return packed ? by_elements<uint32_t, Pair<F>>(elements) : by_elements<uint16_t, F>(elements);
    };
    if (d.has("min")) return handler(ChooseNarrow<H, false>{});
    if (d.has("max")) return handler(ChooseNarrow<H, true>{});
    return handler(AddNarrow<H>{});
}

void decode_atomic(Decode& d) {
    Atomic s;
    s.returns = d.source_text.opcode == "atom";
    const bool compares = d.has("cas");
    const size_t at = s.returns ? 1 : 0, least = at + 2 + (compares ? 1 : 0);
    d.expect(least, least + (d.has("L2::cache_hint") ? 1 : 0));
    if (d.operands() > least) d.source(least, Type::b64);
    const Type type = d.type();
    const Space named = space_named(d, &s.cluster);
    if (named == Space::shared && d.has("L2::cache_hint")) d.fail(".L2::cache_hint is for global memory only");
    d.inst.space = d.address(at, named);
    s.order = order_named(d, Order::relaxed);
    s.scope = scope_named(d, Scope::gpu);

    const uint32_t elements = vector_named(d);
    auto parts = [&](size_t n) {
        auto result = d.elements(d.operand(n));
        if (result.size() != elements) {
            d.fail("an operand has " + std::to_string(result.size()) + " elements, the instruction " +
                   std::to_string(elements));
        }
        return result;
    };
    const auto b = parts(at + 1);
    for (uint32_t e = 0; e < elements; ++e) s.b[e] = d.source(b[e], type);
    if (compares) s.c = d.source(at + 2, type);
    if (s.returns) {
        const auto results = parts(0);
        for (uint32_t e = 0; e < elements; ++e) s.d[e] = d.dest(results[e], type);
    }
    d.attach(s);
    switch (type) {
        case Type::f16: d.inst.run = narrow_handler<Half>(d, false, elements); return;
        case Type::f16x2: d.inst.run = narrow_handler<Half>(d, true, elements); return;
        case Type::bf16: d.inst.run = narrow_handler<Brain>(d, false, elements); return;
        case Type::bf16x2: d.inst.run = narrow_handler<Brain>(d, true, elements); return;
        case Type::f32: d.inst.run = by_elements<uint32_t, AddF32>(elements); return;
        case Type::f64: d.inst.run = run<uint64_t, AddF64>; return;
        default: d.inst.run = integer_handler(d, type);
    }
}

}  // namespace

#define SCOPE "[cta|cluster|gpu|sys] "
#define SPACE "[global|shared|shared::cta|shared::cluster] "
#define HINT "[L2::cache_hint] "
// The operations that atom and red share, behind their own orders. ptxas takes modifiers in any order; here are the
// order of the manual's syntax, that of its examples with vectors, and that of the CUDA headers, where the operation
// comes first.
#define COMMON(opcode, order, operands)                                                                            \
    {opcode, order SCOPE SPACE "and|or|xor " HINT "b32|b64", operands, decode_atomic},                             \
        {opcode, order SCOPE SPACE "add " HINT "u32|s32|u64|f32|f64", operands, decode_atomic},                    \
        {opcode, order SCOPE SPACE "inc|dec " HINT "u32", operands, decode_atomic},                                \
        {opcode, order SCOPE SPACE "min|max " HINT "u32|s32|u64|s64", operands, decode_atomic},                    \
        {opcode, order SCOPE SPACE "add noftz " HINT "f16|f16x2|bf16|bf16x2", operands, decode_atomic},            \
        {opcode, order SCOPE "[global] add " HINT "v2|v4 f32", operands, decode_atomic},                           \
        {opcode, order SCOPE "[global] v2|v4 f32 add " HINT, operands, decode_atomic},                             \
        {opcode, order SCOPE "[global] add|min|max noftz " HINT "v2|v4|v8 f16|bf16", operands, decode_atomic},     \
        {opcode, order SCOPE "[global] v2|v4|v8 f16|bf16 add|min|max noftz " HINT, operands, decode_atomic},       \
        {opcode, order SCOPE "[global] add|min|max noftz " HINT "v2|v4 f16x2|bf16x2", operands, decode_atomic},    \
        {opcode, order SCOPE "[global] v2|v4 f16x2|bf16x2 add|min|max noftz " HINT, operands, decode_atomic},      \
        {opcode, "and|or|xor " order SCOPE SPACE "b32|b64", operands, decode_atomic},                              \
        {opcode, "add " order SCOPE SPACE "u32|s32|u64|f32|f64", operands, decode_atomic},                         \
        {opcode, "inc|dec " order SCOPE SPACE "u32", operands, decode_atomic},                                     \
        {opcode, "min|max " order SCOPE SPACE "u32|s32|u64|s64", operands, decode_atomic}
#define ATOM "[relaxed|acquire|release|acq_rel] "
#define RED "[relaxed|release] "

Forms atomic_forms() {
    static const Form table[] = {
        COMMON("atom", ATOM, "d, [a], b, policy"),
        {"atom", ATOM SCOPE SPACE "exch " HINT "b32|b64|b128", "d, [a], b, policy", decode_atomic},
        {"atom", ATOM SCOPE SPACE "cas b16|b32|b64|b128", "d, [a], b, c", decode_atomic},
        {"atom", "exch " ATOM SCOPE SPACE "b32|b64|b128", "d, [a], b", decode_atomic},
        {"atom", "cas " ATOM SCOPE SPACE "b16|b32|b64|b128", "d, [a], b, c", decode_atomic},
        COMMON("red", RED, "[a], b, policy"),
    };
    return table;
}

}  // namespace emu
