// Stores. Where lanes of one instruction write the same bytes the highest lane's stay.
#include "ops/load_store.h"
#include "ops/load_store_words.h"

namespace emu {
namespace {

template <class M, class R>
void narrow(const Warp& w, Slot slot, M* to) {
    const R* from = w.get<R>(slot);
    for (int l = 0; l < kLanes; ++l) to[l] = static_cast<M>(from[l]);
}

/// The lanes of a source whose register has memory's size or more: in place, or narrowed into `space`.
template <class M>
const M* collect(const Warp& w, Slot slot, uint32_t bytes, M* space) {
    if constexpr (sizeof(M) < 16) {
        if (bytes != sizeof(M)) {
            switch (bytes) {
                case 2: narrow<M, uint16_t>(w, slot, space); break;
                case 4: narrow<M, uint32_t>(w, slot, space); break;
                case 8: narrow<M, uint64_t>(w, slot, space); break;
                default: {
                    const U128* from = w.get<U128>(slot);
                    for (int l = 0; l < kLanes; ++l) space[l] = static_cast<M>(from[l].low);
                }
            }
            return space;
        }
    }
    return w.get<M>(slot);
}

template <class M, int N>
inline void put_one(uint8_t* to, int lane, const M* const* from, bool atomic) {
    for (int e = 0; e < N; ++e) {
        uint8_t* at = to + e * sizeof(M);
        if (atomic) store_atomic<M>(at, from[e][lane]);
        else store_plain<M>(at, from[e][lane]);
    }
}

template <class M, int N>
inline void put_all(const Flat& f, Mask mask, const uint64_t* address, const M* const* from) {
    if (f.pattern == Pattern::consecutive && mask == kAll) {
        uint8_t* to = f.straight(address, 0);
        if constexpr (N == 1) {
            std::memcpy(to, from[0], sizeof(M) * kLanes);
        } else {
            M block[kLanes * N];
            for (int l = 0; l < kLanes; ++l) {
                for (int e = 0; e < N; ++e) block[l * N + e] = from[e][l];
            }
            std::memcpy(to, block, sizeof block);
        }
    } else if (f.pattern == Pattern::uniform) {
        put_one<M, N>(f.straight(address, f.last), f.last, from, false);
    } else if (f.is_local()) {
        each_lane(mask, [&](int l) { put_one<M, N>(f.at(address, l), l, from, false); });
    } else {
        each_lane(mask, [&](int l) { put_one<M, N>(f.straight(address, l), l, from, false); });
    }
}

template <class M, int N>
void store(Warp& w, const Inst& i, Mask mask) {
    constexpr uint32_t bytes = sizeof(M) * N;
    const auto& s = i.as<LoadStore>();
    alignas(64) uint64_t address[kLanes];
    w.addresses(i, address);
    alignas(64) M space[N][kLanes];
    const M* from[N];
    for (int e = 0; e < N; ++e) from[e] = collect<M>(w, s.slot[e], s.register_bytes[e], space[e]);
    if (s.order == Order::release) std::atomic_thread_fence(std::memory_order_release);
    Flat f;
    if (w.sanitizer == nullptr && flat<bytes>(w, i, mask, i.space, address, true, s.cluster, f)) {
        if (s.order != Order::weak && contended(w, f.space)) {
            each_lane(mask, [&](int l) { put_one<M, N>(f.at(address, l), l, from, true); });
        } else {
            put_all<M, N>(f, mask, address, from);
        }
        count_flat<bytes>(w, i, mask, address, f);
        return;
    }
    Resolved r;
    resolve(w, i, mask, i.space, address, bytes, bytes, true, r, s.cluster);
    if (r.ok == 0) return;
    if (w.sanitizer != nullptr && s.checked) {
        w.sanitizer->access(w, i, r.ok, r, bytes, {.write = true, .order = s.order, .scope = s.scope});
    }
    const bool atomic = s.order != Order::weak && w.launch->options.threads > 1;
    each_lane(r.ok, [&](int l) { put_one<M, N>(r.host[l], l, from, atomic); });
    count_memory(w, i, r.ok, i.space, address, bytes);
}

template <class M>
Handler choose(uint32_t elements) {
    if constexpr (sizeof(M) <= 8) {
        if (elements == 2) return store<M, 2>;
        if (elements == 4) return store<M, 4>;
    }
    if constexpr (sizeof(M) <= 4) {
        if (elements == 8) return store<M, 8>;
    }
    return store<M, 1>;
}

}  // namespace

void decode_st(Decode& d) {
    d.expect(2, d.has("L2::cache_hint") ? 3 : 2);
    LoadStore s;
    const Space named = space_named(d, &s.cluster);
    const Type type = d.type();
    const uint32_t elements = vector_named(d), size = bytes_of(type);
    check_vector(d, elements, type, named);
    check_cache(d, elements * size, named);
    if (d.has("L2::cache_hint")) d.source(2, Type::b64);

    d.inst.space = d.address(0, named);
    if (d.inst.space == Space::param) d.fail("a kernel's parameters cannot be written");
    if (d.inst.space == Space::constant) d.fail("constant memory cannot be written");
    s.order = order_named(d, Order::weak);
    s.scope = scope_named(d, Scope::sys);
    const auto operands = d.elements(d.operand(1));
    if (operands.size() != elements) {
        d.fail("the source has " + std::to_string(operands.size()) + " elements, the instruction " +
               std::to_string(elements));
    }
    for (uint32_t e = 0; e < elements; ++e) {
        Type declared = type;
        // Literals of one byte become constants of two, the size that registers of 8 bits have.
        const bool literal = operands[e].kind == ast::Operand::integer && size == 1;
        s.slot[e] = d.source_at_least(operands[e], literal ? Type::b16 : type, &declared);
        s.register_bytes[e] = register_bytes(declared);
        s.same &= s.register_bytes[e] == size;
    }
    d.attach(s);
    switch (size) {
        case 1: d.inst.run = choose<uint8_t>(elements); return;
        case 2: d.inst.run = choose<uint16_t>(elements); return;
        case 4: d.inst.run = choose<uint32_t>(elements); return;
        case 8: d.inst.run = choose<uint64_t>(elements); return;
        default: d.inst.run = choose<U128>(elements); return;
    }
}

}  // namespace emu
