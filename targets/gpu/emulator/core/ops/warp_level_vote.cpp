// vote, match, elect and activemask: what the lanes of a warp agree on.
#include "ops/warp_level.h"

namespace emu {

namespace {

enum Mode : uint8_t { all, any, uni, ballot };

template <Mode mode>
void run_vote(Warp& w, const Inst& i, Mask mask) {
    if (!together(w, i, mask)) return;
    Mask p = w.predicate(i.a);
    if (i.n & negated_source) p = ~p;
    Mask result = 0;  // of predicates, by lane
    uint32_t d[kLanes] = {};
    each_group(w, i, mask, [&](Mask group) {
        const Mask yes = p & group;
        if constexpr (mode == ballot) {
            if (group == kAll) {
                for (int l = 0; l < kLanes; ++l) d[l] = yes;
            } else {
                for (int l = 0; l < kLanes; ++l) d[l] = (group >> l & 1) ? yes : d[l];
            }
        } else {
            const bool holds = mode == all ? yes == group : mode == any ? yes != 0 : yes == 0 || yes == group;
            if (holds) result |= group;
        }
    });
    if constexpr (mode == ballot) w.put(i.d, d, mask);
    else w.put_predicate(i.d, result, mask);
}

template <class T>
void run_match_any(Warp& w, const Inst& i, Mask mask) {
    if (!together(w, i, mask)) return;
    const T* a = w.get<T>(i.a);
    uint32_t d[kLanes] = {};
    each_group(w, i, mask, [&](Mask group) {
        while (group) {
            const T value = a[std::countr_zero(group)];
            Mask same = 0;
            for (int l = 0; l < kLanes; ++l) same |= static_cast<Mask>(a[l] == value) << l;
            same &= group;
            for (Mask m = same; m; m &= m - 1) d[std::countr_zero(m)] = same;
            group &= ~same;
        }
    });
    w.put(i.d, d, mask);
}

template <class T>
void run_match_all(Warp& w, const Inst& i, Mask mask) {
    if (!together(w, i, mask)) return;
    const T* a = w.get<T>(i.a);
    uint32_t d[kLanes] = {};
    Mask agree = 0;
    each_group(w, i, mask, [&](Mask group) {
        const T value = a[std::countr_zero(group)];
        for (Mask m = group; m; m &= m - 1) {
            if (a[std::countr_zero(m)] != value) return;
        }
        for (Mask m = group; m; m &= m - 1) d[std::countr_zero(m)] = group;
        agree |= group;
    });
    w.put(i.d, d, mask);
    if (i.imm != kNone) w.put_predicate(static_cast<Slot>(i.imm), agree, mask);
}

/// The leader is the lowest lane.
void run_elect(Warp& w, const Inst& i, Mask mask) {
    if (!together(w, i, mask)) return;
    uint32_t d[kLanes] = {};
    Mask leaders = 0;
    each_group(w, i, mask, [&](Mask group) {
        const int leader = std::countr_zero(group);
        leaders |= Mask{1} << leader;
        for (Mask m = group; m; m &= m - 1) d[std::countr_zero(m)] = static_cast<uint32_t>(leader);
    });
    w.put(i.d, d, mask);
    w.put_predicate(static_cast<Slot>(i.imm), leaders, mask);
}

void run_activemask(Warp& w, const Inst& i, Mask mask) {
    uint32_t d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = mask;
    w.put(i.d, d, mask);
}

}  // namespace

void decode_vote(Decode& d) {
    const bool sync = d.has("sync");
    d.expect(sync ? 3 : 2, sync ? 3 : 2);
    d.inst.d = d.has("ballot") ? d.dest(0, Type::b32) : d.predicate_dest(d.operand(0));
    bool negate = false;
    d.inst.a = d.predicate(d.operand(1), &negate);
    if (negate) d.inst.n |= negated_source;
    if (sync) decode_members(d, 2);
    else d.inst.n |= no_sync;
    d.inst.run = d.has("ballot") ? run_vote<ballot>
                 : d.has("all")  ? run_vote<all>
                 : d.has("any")  ? run_vote<any>
                                 : run_vote<uni>;
}

void decode_match(Decode& d) {
    d.expect(3, 3);
    const bool wants_all = d.has("all"), wide = d.has("b64");
    const auto parts = d.parts(0);
    if (parts.size() == 2 && !wants_all) d.fail("match.any gives no predicate");
    d.inst.d = d.dest(*parts[0], Type::b32);
    d.inst.imm = parts.size() == 2 ? d.predicate_dest(*parts[1]) : kNone;
    d.inst.a = d.source(1, wide ? Type::b64 : Type::b32);
    decode_members(d, 2);
    if (wants_all) d.inst.run = wide ? run_match_all<uint64_t> : run_match_all<uint32_t>;
    else d.inst.run = wide ? run_match_any<uint64_t> : run_match_any<uint32_t>;
}

void decode_elect(Decode& d) {
    d.expect(2, 2);
    const auto parts = d.parts(0);
    if (parts.size() != 2) d.fail("it gives a lane and a predicate, d|p");
    d.inst.d = d.dest(*parts[0], Type::b32);
    d.inst.imm = d.predicate_dest(*parts[1]);
    decode_members(d, 1);
    d.inst.run = run_elect;
}

void decode_activemask(Decode& d) {
    d.expect(1, 1);
    d.inst.d = d.dest(0, Type::b32);
    d.inst.run = run_activemask;
}

}  // namespace emu
