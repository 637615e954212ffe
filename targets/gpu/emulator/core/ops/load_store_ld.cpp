// Loads. A weak load whose lanes lie in one region goes straight from host memory into registers; the rest, and all
// loads under the sanitizer, go lane by lane.
#include <array>
#include <type_traits>

#include "ops/load_store.h"
#include "ops/load_store_words.h"

namespace emu {
namespace {

template <class M, class R>
void widen(Warp& w, Slot slot, const M* from, bool is_signed, Mask mask) {
    R wide[kLanes];
    if (is_signed) {
        for (int l = 0; l < kLanes; ++l) {
            wide[l] = static_cast<R>(static_cast<std::make_signed_t<R>>(static_cast<std::make_signed_t<M>>(from[l])));
        }
    } else {
        for (int l = 0; l < kLanes; ++l) wide[l] = from[l];
    }
    w.put(slot, wide, mask);
}

/// Loaded lanes into a register that has their size or more.
template <class M>
void deliver(Warp& w, Slot slot, uint32_t bytes, bool is_signed, const M* from, Mask mask) {
    if constexpr (sizeof(M) < 16) {
        if (bytes != sizeof(M)) {
            switch (bytes) {
                case 2: return widen<M, uint16_t>(w, slot, from, is_signed, mask);
                case 4: return widen<M, uint32_t>(w, slot, from, is_signed, mask);
                case 8: return widen<M, uint64_t>(w, slot, from, is_signed, mask);
                default: {
                    U128 wide[kLanes];
                    for (int l = 0; l < kLanes; ++l) {
                        const auto low = is_signed ? static_cast<uint64_t>(static_cast<int64_t>(
                                                         static_cast<std::make_signed_t<M>>(from[l])))
                                                   : static_cast<uint64_t>(from[l]);
                        wide[l] = {low, is_signed && low >> 63 ? ~uint64_t{0} : 0};
                    }
                    return w.put(slot, wide, mask);
                }
            }
        }
    }
    w.put(slot, from, mask);
}

/// The usual request: all lanes checked, in plain memory. Lanes outside of the mask are left as they are.
template <class M, int N>
inline void fetch(const Flat& f, Mask mask, const uint64_t* address, M (*__restrict to)[kLanes]) {
    auto lane = [&](const uint8_t* from, int l) {
        for (int e = 0; e < N; ++e) to[e][l] = load_plain<M>(from + e * sizeof(M));
    };
    if (f.pattern == Pattern::consecutive && mask == kAll) {
        const uint8_t* __restrict from = f.straight(address, 0);
        if constexpr (N == 1) {
            std::memcpy(to[0], from, sizeof(M) * kLanes);
        } else {
            using Element [[gnu::may_alias, gnu::aligned(1)]] = M;
            const auto* __restrict element = reinterpret_cast<const Element*>(from);
            for (int l = 0; l < kLanes; ++l) {
                for (int e = 0; e < N; ++e) to[e][l] = element[l * N + e];
            }
        }
    } else if (f.pattern == Pattern::uniform) {
        const uint8_t* from = f.straight(address, f.first);
        for (int e = 0; e < N; ++e) {
            const M value = load_plain<M>(from + e * sizeof(M));
            for (int l = 0; l < kLanes; ++l) to[e][l] = value;
        }
    } else if (f.is_local()) {
        each_lane(mask, [&](int l) { lane(f.at(address, l), l); });
    } else if (N > 1 && mask == kAll) {
        // First together, each lane's elements at a time, then apart: the second step is vectors' work.
        alignas(64) M together[kLanes * N];
        for (int l = 0; l < kLanes; ++l) std::memcpy(together + l * N, f.straight(address, l), sizeof(M) * N);
        for (int e = 0; e < N; ++e) {
            for (int l = 0; l < kLanes; ++l) to[e][l] = together[l * N + e];
        }
    } else {
        each_lane(mask, [&](int l) { lane(f.straight(address, l), l); });
    }
}

template <class M, int N>
inline void fetch_one(const uint8_t* from, int lane, M (*to)[kLanes], bool atomic) {
    for (int e = 0; e < N; ++e) {
        const uint8_t* at = from + e * sizeof(M);
        to[e][lane] = atomic ? load_atomic<M>(at) : load_plain<M>(at);
    }
}

template <class M, int N>
void load(Warp& w, const Inst& i, Mask mask) {
    constexpr uint32_t bytes = sizeof(M) * N;
    const auto& s = i.as<LoadStore>();
    alignas(64) uint64_t address[kLanes];
    w.addresses(i, address);
    alignas(64) M raw[N][kLanes];
    if (mask != kAll) std::memset(raw, 0, sizeof raw);
    Flat f;
    if (w.sanitizer == nullptr && flat<bytes>(w, i, mask, i.space, address, false, s.cluster, f)) {
        if (s.order != Order::weak && contended(w, f.space)) {
            each_lane(mask, [&](int l) { fetch_one<M, N>(f.at(address, l), l, raw, true); });
        } else if (N == 1 && mask == kAll && s.same) {
            fetch<M, 1>(f, mask, address, reinterpret_cast<M(*)[kLanes]>(w.out<M>(s.slot[0])));
            count_flat<bytes>(w, i, mask, address, f);
            if (s.order != Order::weak) w.polled();
            return;
        } else {
            fetch<M, N>(f, mask, address, raw);
        }
        count_flat<bytes>(w, i, mask, address, f);
    } else {
        std::memset(raw, 0, sizeof raw);
        Resolved r;
        resolve(w, i, mask, i.space, address, bytes, bytes, false, r, s.cluster);
        mask = r.ok;
        if (mask == 0) return;
        if (w.sanitizer != nullptr && s.checked) {
            w.sanitizer->access(w, i, mask, r, bytes, {.read = true, .order = s.order, .scope = s.scope});
        }
        const bool atomic = s.order != Order::weak && w.launch->options.threads > 1;
        each_lane(mask, [&](int l) { fetch_one<M, N>(r.host[l], l, raw, atomic); });
        count_memory(w, i, mask, i.space, address, bytes);
    }
    if (s.order == Order::acquire) std::atomic_thread_fence(std::memory_order_acquire);
    for (int e = 0; e < N; ++e) deliver<M>(w, s.slot[e], s.register_bytes[e], s.is_signed, raw[e], mask);
    if (s.order != Order::weak) w.polled();
}

/// All lanes read one address that does not depend on registers: kernel parameters, constants, module variables.
template <class M, int N>
void load_uniform(Warp& w, const Inst& i, Mask mask) {
    constexpr uint32_t bytes = sizeof(M) * N;
    const auto& s = i.as<LoadStore>();
    const uint64_t address = ((i.flags & Inst::address32) ? w.get<uint32_t>(i.a)[0] : w.get<uint64_t>(i.a)[0]) +
                             static_cast<uint64_t>(i.imm);
    Place place;
    if (w.sanitizer != nullptr && s.checked) return load<M, N>(w, i, mask);
    if (!place_of(w, i, i.space, address, s.cluster, place) || place.bytes < bytes ||
        address - place.begin > place.bytes - bytes || (address & (bytes - 1)) != 0) {
        return load<M, N>(w, i, mask);
    }
    const uint8_t* from = place.host + (address - place.begin);
    for (int e = 0; e < N; ++e) {
        const M value = load_plain<M>(from + e * sizeof(M));
        alignas(64) M raw[kLanes];
        for (int l = 0; l < kLanes; ++l) raw[l] = value;
        deliver<M>(w, s.slot[e], s.register_bytes[e], s.is_signed, raw, mask);
    }
    MemoryCount& to = w.worker->counters.memory[i.pc];
    ++to.requests;
    to.bytes += static_cast<uint64_t>(std::popcount(mask)) * bytes;
    if (place.space == Space::global || place.space == Space::constant) to.sectors += 1;
    if (place.space == Space::shared) {
        const Wavefronts passes = wavefronts_of(mask, std::array<uint64_t, kLanes>{}.data(), bytes);
        to.wavefronts += passes.taken;
        to.ideal += passes.ideal;
    }
}

template <class M>
void choose(Decode& d, uint32_t elements, bool is_uniform) {
    auto set = [&](Handler by_lane, Handler uniform) { d.inst.run = is_uniform ? uniform : by_lane; };
    if (elements == 1) return set(load<M, 1>, load_uniform<M, 1>);
    if constexpr (sizeof(M) <= 8) {
        if (elements == 2) return set(load<M, 2>, load_uniform<M, 2>);
        if (elements == 4) return set(load<M, 4>, load_uniform<M, 4>);
    }
    if constexpr (sizeof(M) <= 4) set(load<M, 8>, load_uniform<M, 8>);
}

}  // namespace

void decode_ld(Decode& d) {
    d.expect(2, d.has("L2::cache_hint") ? 3 : 2);
    LoadStore s;
    const Space named = space_named(d, &s.cluster);
    const Type type = d.type();
    const uint32_t elements = vector_named(d), size = bytes_of(type);
    check_vector(d, elements, type, named);
    check_cache(d, elements * size, named);
    if (d.source_text.opcode == "ldu" && elements * size > 16) d.fail("ldu loads 16 bytes at most");
    if (d.has("L2::cache_hint")) d.source(2, Type::b64);

    d.inst.space = d.address(1, named);
    s.order = order_named(d, Order::weak);
    s.scope = scope_named(d, Scope::sys);
    s.is_signed = is_signed(type);
    s.checked = d.inst.space != Space::param && d.inst.space != Space::constant;
    const auto operands = d.elements(d.operand(0));
    if (operands.size() != elements) {
        d.fail("the destination has " + std::to_string(operands.size()) + " elements, the instruction " +
               std::to_string(elements));
    }
    for (uint32_t e = 0; e < elements; ++e) {
        Type declared = type;
        s.slot[e] = operands[e].kind == ast::Operand::sink ? d.dest(operands[e], type)
                                                           : d.dest_at_least(operands[e], type, &declared);
        s.register_bytes[e] = register_bytes(declared);
        s.same &= s.register_bytes[e] == size;
    }
    const bool is_uniform = (d.inst.a & kConstant) != 0 && s.order == Order::weak && d.inst.space != Space::local;
    d.attach(s);
    switch (size) {
        case 1: return choose<uint8_t>(d, elements, is_uniform);
        case 2: return choose<uint16_t>(d, elements, is_uniform);
        case 4: return choose<uint32_t>(d, elements, is_uniform);
        case 8: return choose<uint64_t>(d, elements, is_uniform);
        default: return choose<U128>(d, elements, is_uniform);
    }
}

}  // namespace emu
