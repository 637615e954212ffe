// Bit instructions: and or xor not cnot shl shr shf popc clz brev bfind bfe bfi bmsk szext fns lop3 prmt.
#include <array>

#include "ops/bits_functions.h"

namespace emu {
namespace {

using namespace bits;
using W = uint32_t;

/// Two operands of a size, or two predicates; F works on masks as it does on integers.
template <class F>
void logic2(Decode& d) {
    const Type t = d.type();
    if (t != Type::pred) {
        operands3(d, t, t, t, by_size(bytes_of(t), Binary<F>{}));
        return;
    }
    d.expect(3, 3);
    bool not_a = false, not_b = false;
    d.inst.a = d.predicate(d.operand(1), &not_a);
    d.inst.b = d.predicate(d.operand(2), &not_b);
    d.inst.d = d.predicate_dest(d.operand(0));
    d.inst.n = static_cast<uint16_t>(not_a | not_b << 1);
    d.inst.run = [](Warp& w, const Inst& i, Mask mask) {
        const Mask a = w.predicate(i.a) ^ (i.n & 1 ? kAll : 0), b = w.predicate(i.b) ^ (i.n & 2 ? kAll : 0);
        w.put_predicate(i.d, F{}(a, b), mask);
    };
}

void logic_not(Decode& d) {
    const Type t = d.type();
    if (t != Type::pred) {
        operands2(d, t, t, by_size(bytes_of(t), Unary<Not>{}));
        return;
    }
    d.expect(2, 2);
    bool negated = false;
    d.inst.a = d.predicate(d.operand(1), &negated);
    d.inst.d = d.predicate_dest(d.operand(0));
    d.inst.n = negated;
    d.inst.run = [](Warp& w, const Inst& i, Mask mask) {
        w.put_predicate(i.d, w.predicate(i.a) ^ (i.n ? 0 : kAll), mask);
    };
}

void cnot(Decode& d) {
    const Type t = d.type();
    operands2(d, t, t, by_size(bytes_of(t), Unary<Cnot>{}));
}

template <class F>
void shift(Decode& d) {
    const Type t = d.type();
    operands3(d, t, t, Type::u32, by_integer(t, [](auto z) -> Handler {
        using T = decltype(z);
        return &binary<T, T, W, F>;
    }));
}

template <bool Left>
Handler shf_by(bool clamp) {
    return clamp ? &ternary<W, W, W, W, Shf<Left, true>> : &ternary<W, W, W, W, Shf<Left, false>>;
}

void shf(Decode& d) {
    const bool left = d.word(0) == "l", clamp = d.word(1) == "clamp";
    const Handler run = left ? shf_by<true>(clamp) : shf_by<false>(clamp);
    operands4(d, Type::b32, Type::b32, Type::b32, Type::u32, run);
}

/// A count of bits: .u32 of any type.
template <class F>
void count(Decode& d) {
    const Type t = d.type();
    operands2(d, Type::u32, t, bytes_of(t) == 4 ? &unary<W, uint32_t, F> : &unary<W, uint64_t, F>);
}

void brev(Decode& d) {
    const Type t = d.type();
    operands2(d, t, t, bytes_of(t) == 4 ? &unary<uint32_t, uint32_t, Brev> : &unary<uint64_t, uint64_t, Brev>);
}

template <bool Amount>
void bfind(Decode& d) {
    const Type t = d.type();
    operands2(d, Type::u32, t, by_integer(t, [](auto z) -> Handler { return &unary<W, decltype(z), Bfind<Amount>>; }));
}

void bfe(Decode& d) {
    const Type t = d.type();
    operands4(d, t, t, Type::u32, Type::u32, by_integer(t, [](auto z) -> Handler {
        using T = decltype(z);
        return &ternary<T, T, W, W, Bfe>;
    }));
}

template <class T>
void run_bfi(Warp& w, const Inst& i, Mask mask) {
    const T* a = w.get<T>(i.a);
    const T* b = w.get<T>(i.b);
    const W* position = w.get<W>(i.c);
    const W* length = w.get<W>(i.e);
    T d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = Bfi{}(a[l], b[l], position[l], length[l]);
    w.put(i.d, d, mask);
}

void bfi(Decode& d) {
    const Type t = d.type();
    d.expect(5, 5);
    d.inst.a = d.source(1, t);
    d.inst.b = d.source(2, t);
    d.inst.c = d.source(3, Type::u32);
    d.inst.e = d.source(4, Type::u32);
    d.inst.d = d.dest(0, t);
    d.inst.run = bytes_of(t) == 4 ? &run_bfi<uint32_t> : &run_bfi<uint64_t>;
}

void bmsk(Decode& d) {
    operands3(d, Type::b32, Type::u32, Type::u32,
              d.word(0) == "clamp" ? &binary<W, W, W, Bmsk<true>> : &binary<W, W, W, Bmsk<false>>);
}

void szext(Decode& d) {
    const Type t = d.type();
    const bool clamp = d.word(0) == "clamp";
    const Handler run = t == Type::s32
        ? (clamp ? &binary<int32_t, int32_t, W, Szext<true>> : &binary<int32_t, int32_t, W, Szext<false>>)
        : (clamp ? &binary<W, W, W, Szext<true>> : &binary<W, W, W, Szext<false>>);
    operands3(d, t, t, Type::u32, run);
}

void fns(Decode& d) { operands4(d, Type::b32, Type::b32, Type::b32, Type::s32, &ternary<W, W, W, W, Fns>); }

// ---- lop3 -----------------------------------------------------------------------------------------------------------

/// Any function of three bits: ones where the result for (a, b, c) = 4a + 2b + c is one. With a predicate the result is
/// also compared with 0 and combined with i.e.
struct Lop3 {
    W table[8];
    Slot to = kNone;
    bool negated = false, is_and = false;
};

/// A tree of choices, each one vpternlog.
inline void lop3_lanes(const Warp& w, const Inst& i, W* d) {
    const W* a = w.get<W>(i.a);
    const W* b = w.get<W>(i.b);
    const W* c = w.get<W>(i.c);
    const W* table = i.as<Lop3>().table;
    const W t0 = table[0], t1 = table[1], t2 = table[2], t3 = table[3];
    const W t4 = table[4], t5 = table[5], t6 = table[6], t7 = table[7];
    auto choose = [](W bit, W zero, W one) { return (one & bit) | (zero & ~bit); };
    EMU_LANES(l) {
        const W a0 = choose(b[l], choose(c[l], t0, t1), choose(c[l], t2, t3));
        const W a1 = choose(b[l], choose(c[l], t4, t5), choose(c[l], t6, t7));
        d[l] = choose(a[l], a0, a1);
    }
}

void run_lop3(Warp& w, const Inst& i, Mask mask) {
    if (mask == kAll) return lop3_lanes(w, i, w.out<W>(i.d));
    W d[kLanes];
    lop3_lanes(w, i, d);
    w.put(i.d, d, mask);
}

void run_lop3_predicate(Warp& w, const Inst& i, Mask mask) {
    const auto& side = i.as<Lop3>();
    W d[kLanes];
    lop3_lanes(w, i, d);
    const Mask q = w.predicate(i.e) ^ (side.negated ? kAll : 0);
    const Mask some = where(d, [](W v) { return v != 0; });
    w.put(i.d, d, mask);
    w.put_predicate(side.to, side.is_and ? some & q : some | q, mask);
}

Lop3 lop3_sources(Decode& d) {
    d.inst.a = d.source(1, Type::b32);
    d.inst.b = d.source(2, Type::b32);
    d.inst.c = d.source(3, Type::b32);
    Lop3 side;
    const int64_t table = d.literal(4);
    for (int k = 0; k < 8; ++k) side.table[k] = table >> k & 1 ? ~W{0} : W{0};
    return side;
}

void lop3(Decode& d) {
    d.expect(5, 5);
    d.attach(lop3_sources(d));
    d.inst.d = d.dest(0, Type::b32);
    d.inst.run = run_lop3;
}

void lop3_predicate(Decode& d) {
    d.expect(6, 6);
    Lop3 side = lop3_sources(d);
    side.is_and = d.word(0) == "and";
    d.inst.e = d.predicate(d.operand(5), &side.negated);
    const auto parts = d.parts(0);
    if (parts.size() != 2) d.fail("the destination is d|p");
    d.inst.d = d.dest(*parts[0], Type::b32);
    side.to = d.predicate_dest(*parts[1]);
    d.attach(side);
    d.inst.run = run_lop3_predicate;
}

// ---- prmt -----------------------------------------------------------------------------------------------------------

/// The selectors that the modes have for the four values of c's low bits.
struct PrmtMode {
    const char* name;
    uint16_t selectors[4];
};
constexpr PrmtMode kPrmtModes[] = {
    {"f4e", {0x3210, 0x4321, 0x5432, 0x6543}}, {"b4e", {0x5670, 0x6701, 0x7012, 0x0123}},
    {"rc8", {0x0000, 0x1111, 0x2222, 0x3333}}, {"ecl", {0x3210, 0x3211, 0x3222, 0x3333}},
    {"ecr", {0x0000, 0x1110, 0x2210, 0x3210}}, {"rc16", {0x1010, 0x3232, 0x1010, 0x3232}},
};

void run_prmt_mode(Warp& w, const Inst& i, Mask mask) {
    const W* a = w.get<W>(i.a);
    const W* b = w.get<W>(i.b);
    const W* c = w.get<W>(i.c);
    const auto& mode = i.as<PrmtMode>();
    const W s0 = mode.selectors[0], s1 = mode.selectors[1], s2 = mode.selectors[2], s3 = mode.selectors[3];
    W d[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        const W even = c[l] & 2 ? s2 : s0, odd = c[l] & 2 ? s3 : s1;
        d[l] = Prmt{}(a[l], b[l], c[l] & 1 ? odd : even);
    }
    w.put(i.d, d, mask);
}

/// A constant selector: words turned until the bytes that they give are in place, and masked.
struct PrmtTerm {
    bool from_b = false;
    uint32_t turn = 0;  // to the left
    W mask = 0;
};
using PrmtTerms = std::array<PrmtTerm, 4>;

template <int N>
void run_prmt_terms(Warp& w, const Inst& i, Mask mask) {
    const auto& terms = i.as<PrmtTerms>();
    W d[kLanes] = {};
    for (int t = 0; t < N; ++t) {
        const W* a = w.get<W>(terms[t].from_b ? i.b : i.a);
        const W keep = terms[t].mask;
        const uint32_t turn = terms[t].turn, back = (32 - turn) & 31;
        for (int l = 0; l < kLanes; ++l) d[l] |= (a[l] << turn | a[l] >> back) & keep;
    }
    w.put(i.d, d, mask);
}

/// How many terms a selector takes; 0: it asks for signs.
size_t prmt_terms(uint64_t selector, PrmtTerms& terms) {
    size_t count = 0;
    for (uint32_t k = 0; k < 4; ++k) {
        const uint32_t nibble = selector >> (4 * k) & 15;
        if (nibble & 8) return 0;
        const PrmtTerm wanted{(nibble & 4) != 0, 8 * ((k - (nibble & 3)) & 3), W{0xff} << (8 * k)};
        size_t t = 0;
        while (t < count && (terms[t].from_b != wanted.from_b || terms[t].turn != wanted.turn)) ++t;
        if (t == count) terms[count++] = wanted;
        else terms[t].mask |= wanted.mask;
    }
    return count;
}

void prmt(Decode& d) {
    operands4(d, Type::b32, Type::b32, Type::b32, Type::b32, &ternary<W, W, W, W, Prmt>);
    PrmtTerms terms;
    const size_t count = d.is_literal(3) ? prmt_terms(d.operand(3).bits, terms) : 0;
    if (!count) return;
    constexpr Handler runs[] = {run_prmt_terms<1>, run_prmt_terms<2>, run_prmt_terms<3>, run_prmt_terms<4>};
    d.inst.run = runs[count - 1];
    d.attach(terms);
}

void prmt_mode(Decode& d) {
    operands4(d, Type::b32, Type::b32, Type::b32, Type::b32, run_prmt_mode);
    for (const PrmtMode& mode : kPrmtModes) {
        if (d.word(1) == mode.name) d.inst.side = &mode;
    }
}

constexpr Form kForms[] = {
    {"and", "pred|b16|b32|b64", "d, a, b", logic2<And>},
    {"or", "pred|b16|b32|b64", "d, a, b", logic2<Or>},
    {"xor", "pred|b16|b32|b64", "d, a, b", logic2<Xor>},
    {"not", "pred|b16|b32|b64", "d, a", logic_not},
    {"cnot", "b16|b32|b64", "d, a", cnot},
    {"shl", "b16|b32|b64", "d, a, b", shift<Shl>},
    {"shr", "b16|b32|b64|u16|u32|u64|s16|s32|s64", "d, a, b", shift<Shr>},
    {"shf", "l|r clamp|wrap b32", "d, a, b, c", shf},
    {"popc", "b32|b64", "d, a", count<Popc>},
    {"clz", "b32|b64", "d, a", count<Clz>},
    {"brev", "b32|b64", "d, a", brev},
    {"bfind", "u32|u64|s32|s64", "d, a", bfind<false>},
    {"bfind", "shiftamt u32|u64|s32|s64", "d, a", bfind<true>},
    {"bfe", "u32|u64|s32|s64", "d, a, b, c", bfe},
    {"bfi", "b32|b64", "f, a, b, c, d", bfi},
    {"bmsk", "clamp|wrap b32", "d, a, b", bmsk},
    {"szext", "clamp|wrap u32|s32", "d, a, b", szext},
    {"fns", "b32", "d, mask, base, offset", fns},
    {"lop3", "b32", "d, a, b, c, immLut", lop3},
    {"lop3", "or|and b32", "d|p, a, b, c, immLut, {!}q", lop3_predicate},
    {"prmt", "b32", "d, a, b, c", prmt},
    {"prmt", "b32 f4e|b4e|rc8|ecl|ecr|rc16", "d, a, b, c", prmt_mode},
};

}  // namespace

Forms bits_forms() { return kForms; }

}  // namespace emu
