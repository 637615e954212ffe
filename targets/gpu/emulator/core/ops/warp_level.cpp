// Instructions that work across a warp: their table, their member masks, and shfl.
//
// The .sync forms wait until the live lanes that any of them names are at the instruction together. They order no
// memory. What the manual leaves undefined: shfl from a lane that does not execute it (over, elsewhere, kept out by
// the guard) gives the lane's own value, and its predicate still says only whether the source was in range.
#include "ops/warp_level.h"

#include "machine/cta.h"
#include "machine/launch.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace emu {

namespace {

enum Mode : uint8_t { up, down, bfly, idx };

/// Where each lane's value comes from (0..31 whatever the operands), and whether that was in range.
struct Sources {
    alignas(64) int32_t lane[kLanes];
    Mask in_range;
};

template <Mode mode>
inline void sources(const uint32_t* b, const uint32_t* c, Sources& out) {
    int32_t ok[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        const int32_t bval = static_cast<int32_t>(b[l] & 31), cval = static_cast<int32_t>(c[l] & 31);
        const int32_t segment = static_cast<int32_t>(c[l] >> 8 & 31);
        const int32_t last = (l & segment) | (cval & ~segment), first = l & segment;
        int32_t j = 0;
        bool in = false;
        if constexpr (mode == up) { j = l - bval; in = j >= last; }
        if constexpr (mode == down) { j = l + bval; in = j <= last; }
        if constexpr (mode == bfly) { j = l ^ bval; in = j <= last; }
        if constexpr (mode == idx) { j = first | (bval & ~segment); in = j <= last; }
        ok[l] = in;
        out.lane[l] = in ? j : l;
    }
    Mask m = 0;
    for (int l = 0; l < kLanes; ++l) m |= static_cast<Mask>(ok[l]) << l;
    out.in_range = m;
}

void shuffle(Warp& w, const Inst& i, Mask mask, const Sources& from) {
    const uint32_t* a = w.get<uint32_t>(i.a);
    if (mask == kAll) {
#if defined(__AVX512F__)
        const __m512i low = _mm512_load_si512(a), high = _mm512_load_si512(a + 16);
        const __m512i d0 = _mm512_permutex2var_epi32(low, _mm512_load_si512(from.lane), high);
        const __m512i d1 = _mm512_permutex2var_epi32(low, _mm512_load_si512(from.lane + 16), high);
        uint32_t* d = w.out<uint32_t>(i.d);
        _mm512_store_si512(d, d0);
        _mm512_store_si512(d + 16, d1);
#else
        uint32_t d[kLanes];
        for (int l = 0; l < kLanes; ++l) d[l] = a[from.lane[l]];
        std::memcpy(w.out<uint32_t>(i.d), d, sizeof d);
#endif
    } else {
        uint32_t d[kLanes];
        for (int l = 0; l < kLanes; ++l) {
            const int j = from.lane[l];
            d[l] = a[(mask >> j & 1) ? j : l];
        }
        w.put(i.d, d, mask);
    }
    if (i.imm != kNone) w.put_predicate(static_cast<Slot>(i.imm), from.in_range, mask);
}

template <Mode mode>
void run_shfl(Warp& w, const Inst& i, Mask mask) {
    if (!together(w, i, mask)) return;
    Sources from;
    sources<mode>(w.get<uint32_t>(i.b), w.get<uint32_t>(i.c), from);
    shuffle(w, i, mask, from);
}

/// The lane and the clamp are literals, as they mostly are.
void run_shfl_table(Warp& w, const Inst& i, Mask mask) {
    if (together(w, i, mask)) shuffle(w, i, mask, i.as<Sources>());
}

void decode_shfl(Decode& d) {
    const bool sync = d.has("sync");
    d.expect(sync ? 5 : 4, sync ? 5 : 4);
    const auto parts = d.parts(0);
    if (parts[0]->kind == ast::Operand::sink) d.fail("the first destination cannot be left out");
    d.inst.d = d.dest(*parts[0], Type::b32);
    d.inst.imm = parts.size() == 2 && parts[1]->kind != ast::Operand::sink ? d.predicate_dest(*parts[1]) : kNone;
    d.inst.a = d.source(1, Type::b32);
    d.inst.b = d.source(2, Type::b32);
    d.inst.c = d.source(3, Type::b32);
    if (sync) decode_members(d, 4);
    else d.inst.n |= no_sync;
    const Mode mode = d.has("up") ? up : d.has("down") ? down : d.has("bfly") ? bfly : idx;
    using Fill = void (*)(const uint32_t*, const uint32_t*, Sources&);
    constexpr Fill kSources[] = {sources<up>, sources<down>, sources<bfly>, sources<idx>};
    constexpr Handler kRun[] = {run_shfl<up>, run_shfl<down>, run_shfl<bfly>, run_shfl<idx>};
    if (d.is_literal(2) && d.is_literal(3)) {
        uint32_t b[kLanes], c[kLanes];
        std::fill_n(b, kLanes, static_cast<uint32_t>(d.literal(2)));
        std::fill_n(c, kLanes, static_cast<uint32_t>(d.literal(3)));
        Sources from;
        kSources[mode](b, c, from);
        d.attach(from);
        d.inst.run = run_shfl_table;
    } else {
        d.inst.run = kRun[mode];
    }
}

constexpr Form kForms[] = {
    {"shfl", "sync up|down|bfly|idx b32", "d{|p}, a, b, c, membermask", decode_shfl},
    {"shfl", "up|down|bfly|idx b32", "d{|p}, a, b, c", decode_shfl},
    {"vote", "[sync] all|any|uni pred", "p, {!}a, membermask", decode_vote},
    {"vote", "[sync] ballot b32", "d, {!}a, membermask", decode_vote},
    // CUB writes the words in this order, and ptxas takes it.
    // In the order that CUB writes them.
    {"vote", "ballot sync b32", "d, {!}a, membermask", decode_vote},
    {"vote", "all|any|uni sync pred", "p, {!}a, membermask", decode_vote},
    {"shfl", "up|down|bfly|idx sync b32", "d{|p}, a, b, c, membermask", decode_shfl},
    {"match", "any sync b32|b64", "d, a, membermask", decode_match},
    {"match", "all sync b32|b64", "d{|p}, a, membermask", decode_match},
    {"redux", "sync add|min|max u32|s32", "d, a, membermask", decode_redux},
    {"redux", "sync and|or|xor b32", "d, a, membermask", decode_redux},
    {"redux", "sync min|max [abs] [NaN] f32", "d, a, membermask", decode_redux_float},
    {"activemask", "b32", "d", decode_activemask},
    {"elect", "sync", "d|p, membermask", decode_elect},
    {"bar", "warp sync", "membermask", decode_warp_sync},
};

}  // namespace

Forms warp_level_forms() { return kForms; }

bool members_meet(Warp& w, const Inst& i, Mask mask) {
    Mask all = kAll;
    Mask strangers = 0;
    if (i.n & everyone) {
        // Nothing to gather.
    } else if (uniform_members(w, i, mask, all)) {
        strangers = mask & ~all;
        if (!strangers && (all & w.live & ~mask) == 0) return true;
    } else {
        const uint32_t* members = w.get<uint32_t>(i.e);
        all = 0;
        for (Mask m = mask; m; m &= m - 1) {
            const int l = std::countr_zero(m);
            all |= members[l];
            if (!(members[l] >> l & 1)) strangers |= Mask{1} << l;
        }
    }
    if (!w.converge(i, all)) return false;
    if (!w.sanitizer) return true;
    if (strangers) {
        const int lane = std::countr_zero(strangers);
        w.finding(Kind::barrier_divergence, i, lane, 0,
                  "lane " + std::to_string(lane) + " executes it with a member mask that leaves it out");
    }
    // Those who are here and do not execute it: kept out by the guard.
    if (const Mask out = all & w.live & w.now.mask & ~mask; out) {
        const int lane = std::countr_zero(out);
        w.finding(Kind::barrier_divergence, i, lane, 0,
                  "lane " + std::to_string(lane) + " is named in the member mask, and the guard keeps it out");
    }
    return true;
}

void decode_members(Decode& d, size_t n) {
    if (d.is_literal(n) && static_cast<uint32_t>(d.literal(n)) == kAll) d.inst.n |= everyone;
    d.inst.e = d.source(n, Type::b32);
}

}  // namespace emu
