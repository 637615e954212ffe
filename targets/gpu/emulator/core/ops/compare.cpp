// Comparison and selection: setp set selp slct testp.
#include "ops/compare_functions.h"

namespace emu {
namespace compare {

Op named(const std::string& name) {
    constexpr struct { const char* name; Op op; } ops[] = {
        {"eq", Op::eq}, {"ne", Op::ne}, {"lt", Op::lt}, {"le", Op::le}, {"gt", Op::gt}, {"ge", Op::ge}, {"lo", Op::lt},
        {"ls", Op::le}, {"hi", Op::gt}, {"hs", Op::ge}, {"equ", Op::equ}, {"neu", Op::neu}, {"ltu", Op::ltu},
        {"leu", Op::leu}, {"gtu", Op::gtu}, {"geu", Op::geu}, {"num", Op::num},
    };
    for (const auto& o : ops) if (name == o.name) return o.op;
    return Op::nan;
}

}  // namespace compare

namespace {

using namespace compare;

/// The lanes, of all 32, where the comparison of i.a and i.b holds.
using Lanes = Mask (*)(const Warp&, const Inst&);

/// How comparison F of type T is done: alone and written to a predicate, which is what most programs do, or as a mask.
struct Ways {
    Handler setp = nullptr;
    Lanes lanes = nullptr;
};
template <class T, class F>
Mask compare_lanes(const Warp& w, const Inst& i) { return where(w.get<T>(i.a), w.get<T>(i.b), F{}); }
template <class T, class F>
void run_setp(Warp& w, const Inst& i, Mask mask) { w.put_predicate(i.d, compare_lanes<T, F>(w, i), mask); }
template <class T, class F>
constexpr Ways ways() { return {run_setp<T, F>, compare_lanes<T, F>}; }

template <class T>
Ways integer_ways(Op op) {
    switch (op) {
        case Op::eq: return ways<T, Compare<Op::eq>>();
        case Op::ne: return ways<T, Compare<Op::ne>>();
        case Op::lt: return ways<T, Compare<Op::lt>>();
        case Op::le: return ways<T, Compare<Op::le>>();
        case Op::gt: return ways<T, Compare<Op::gt>>();
        default: return ways<T, Compare<Op::ge>>();
    }
}

/// F<O> for each of the comparisons of floats.
template <class T, template <Op> class F>
Ways float_ways(Op op) {
    switch (op) {
        case Op::eq: return ways<T, F<Op::eq>>();
        case Op::ne: return ways<T, F<Op::ne>>();
        case Op::lt: return ways<T, F<Op::lt>>();
        case Op::le: return ways<T, F<Op::le>>();
        case Op::gt: return ways<T, F<Op::gt>>();
        case Op::ge: return ways<T, F<Op::ge>>();
        case Op::equ: return ways<T, F<Op::equ>>();
        case Op::neu: return ways<T, F<Op::neu>>();
        case Op::ltu: return ways<T, F<Op::ltu>>();
        case Op::leu: return ways<T, F<Op::leu>>();
        case Op::gtu: return ways<T, F<Op::gtu>>();
        case Op::geu: return ways<T, F<Op::geu>>();
        case Op::num: return ways<T, F<Op::num>>();
        default: return ways<T, F<Op::nan>>();
    }
}
template <Op O> using CompareF16 = CompareHalf<O, F16<false>>;
template <Op O> using CompareF16Flushed = CompareHalf<O, F16<true>>;
template <Op O> using CompareBf16 = CompareHalf<O, Bf16>;
template <Op O> using CompareF16High = CompareHalf<O, F16<false>, 1>;
template <Op O> using CompareF16HighFlushed = CompareHalf<O, F16<true>, 1>;
template <Op O> using CompareBf16High = CompareHalf<O, Bf16, 1>;

Ways ways_of(Type type, Op op, bool ftz, bool high = false) {
    switch (type) {
        case Type::b16: case Type::u16: return integer_ways<uint16_t>(op);
        case Type::b32: case Type::u32: return integer_ways<uint32_t>(op);
        case Type::b64: case Type::u64: return integer_ways<uint64_t>(op);
        case Type::s16: return integer_ways<int16_t>(op);
        case Type::s32: return integer_ways<int32_t>(op);
        case Type::s64: return integer_ways<int64_t>(op);
        case Type::f32: return ftz ? float_ways<float, CompareFlushed>(op) : float_ways<float, Compare>(op);
        case Type::f64: return float_ways<double, Compare>(op);
        case Type::f16: return ftz ? float_ways<uint16_t, CompareF16Flushed>(op) : float_ways<uint16_t, CompareF16>(op);
        case Type::bf16: return float_ways<uint16_t, CompareBf16>(op);
        case Type::f16x2:
            if (high && ftz) return float_ways<uint32_t, CompareF16HighFlushed>(op);
            if (high) return float_ways<uint32_t, CompareF16High>(op);
            return ftz ? float_ways<uint32_t, CompareF16Flushed>(op) : float_ways<uint32_t, CompareF16>(op);
        default: return high ? float_ways<uint32_t, CompareBf16High>(op) : float_ways<uint32_t, CompareBf16>(op);
    }
}

/// A comparison, and what is done to its result: combined with predicate i.c.
struct Combined {
    Lanes lanes = nullptr;
    Lanes high = nullptr;    // of packed types: that of the high halves
    char with = 0;           // 'a'nd, 'o'r, 'x'or
    bool negated = false;    // !c
    uint32_t truth = 0;      // of set: what is written where it holds (in each half, if packed)

    Mask combine(const Warp& w, const Inst& i, Mask m) const {
        if (!with) return m;
        const Mask c = w.predicate(i.c) ^ (negated ? kAll : 0);
        return with == 'a' ? m & c : with == 'o' ? m | c : m ^ c;
    }
};

bool is_packed(Type type) { return type == Type::f16x2 || type == Type::bf16x2; }

/// The sources a, b and c of set and setp, whose type is `type` and whose words are cmp [bool].
Combined combined(Decode& d, Type type) {
    const Op op = named(d.word(0));
    Combined side;
    side.lanes = ways_of(type, op, d.has("ftz")).lanes;
    if (is_packed(type)) side.high = ways_of(type, op, d.has("ftz"), true).lanes;
    const auto& with = d.word(1);
    d.expect(with.empty() ? 3 : 4, with.empty() ? 3 : 4);
    d.inst.a = d.source(1, type);
    d.inst.b = d.source(2, type);
    if (!with.empty()) {
        side.with = with[0];
        d.inst.c = d.predicate(d.operand(3), &side.negated);
    }
    return side;
}

// ---- setp -----------------------------------------------------------------------------------------------------------

/// p|q: q is what p would be had the comparison come out the other way; of packed types it is that of the high halves.
void run_setp_combined(Warp& w, const Inst& i, Mask mask) {
    const auto& side = i.as<Combined>();
    const Mask holds = side.lanes(w, i);
    const Mask p = side.combine(w, i, holds);
    const Mask q = side.combine(w, i, side.high ? side.high(w, i) : ~holds);
    w.put_predicate(i.d, p, mask);
    w.put_predicate(i.e, q, mask);
}

void setp(Decode& d) {
    const Type type = d.type();
    const Combined side = combined(d, type);
    const auto parts = d.parts(0);
    const bool half = type == Type::f16 || type == Type::bf16;
    if (half && parts.size() == 2) d.fail("it has one destination");
    d.inst.d = d.predicate_dest(*parts[0]);
    if (!side.with && parts.size() == 1) {
        d.inst.run = ways_of(type, named(d.word(0)), d.has("ftz")).setp;
        return;
    }
    d.inst.e = parts.size() == 2 ? d.predicate_dest(*parts[1]) : static_cast<Slot>(special_sink);
    d.attach(side);
    d.inst.run = run_setp_combined;
}

// ---- set ------------------------------------------------------------------------------------------------------------

template <class D>
void run_set(Warp& w, const Inst& i, Mask mask) {
    const auto& side = i.as<Combined>();
    const Mask holds = side.combine(w, i, side.lanes(w, i));
    const auto truth = static_cast<D>(side.truth);
    D d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = holds >> l & 1 ? truth : D{0};
    w.put(i.d, d, mask);
}

void run_set_packed(Warp& w, const Inst& i, Mask mask) {
    const auto& side = i.as<Combined>();
    const Mask low = side.combine(w, i, side.lanes(w, i)), high = side.combine(w, i, side.high(w, i));
    uint32_t d[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        d[l] = (low >> l & 1 ? side.truth : 0) | (high >> l & 1 ? side.truth << 16 : 0);
    }
    w.put(i.d, d, mask);
}

void set(Decode& d) {
    const Type to = d.type(0), from = d.type(1);
    Combined side = combined(d, from);
    switch (to) {
        case Type::f32: side.truth = 0x3f800000; break;
        case Type::f16: case Type::f16x2: side.truth = 0x3c00; break;
        case Type::bf16: case Type::bf16x2: side.truth = 0x3f80; break;
        default: side.truth = is_packed(from) ? 0xffff : ~0u;
    }
    d.inst.d = d.dest(0, to);
    d.attach(side);
    d.inst.run = is_packed(from) ? run_set_packed : bytes_of(to) == 2 ? run_set<uint16_t> : run_set<uint32_t>;
}

// ---- selp, slct, testp ----------------------------------------------------------------------------------------------

template <class T>
void run_selp(Warp& w, const Inst& i, Mask mask) {
    const T* a = w.get<T>(i.a);
    const T* b = w.get<T>(i.b);
    const Mask p = w.predicate(i.c) ^ (i.n ? kAll : 0);
    // Both are loaded whatever the predicate: one blend is less than two masked loads.
    auto chosen = [p](int l, T x, T y) { return p >> l & 1 ? x : y; };
    if (mask == kAll) {
        T* d = w.out<T>(i.d);
        EMU_LANES(l) d[l] = chosen(l, a[l], b[l]);
    } else {
        T d[kLanes];
        for (int l = 0; l < kLanes; ++l) d[l] = chosen(l, a[l], b[l]);
        w.put(i.d, d, mask);
    }
}

void selp(Decode& d) {
    const Type t = d.type();
    d.expect(4, 4);
    d.inst.a = d.source(1, t);
    d.inst.b = d.source(2, t);
    bool negated = false;
    d.inst.c = d.predicate(d.operand(3), &negated);
    d.inst.n = negated;
    d.inst.d = d.dest(0, t);
    d.inst.run = by_size(bytes_of(t), [](auto z) -> Handler { return &run_selp<decltype(z)>; });
}

struct Slct {
    template <class T> T operator()(T a, T b, int32_t c) const { return c >= 0 ? a : b; }
    template <class T> T operator()(T a, T b, float c) const { return c >= 0 ? a : b; }
};
struct SlctFlushed {
    template <class T> T operator()(T a, T b, float c) const { return flush(c) >= 0 ? a : b; }
};

template <class C, class F>
void slct(Decode& d) {
    const Type t = d.type(0);
    operands4(d, t, t, t, d.type(1), by_size(bytes_of(t), [](auto z) -> Handler {
        using T = decltype(z);
        return &ternary<T, T, T, C, F>;
    }));
}

enum class Test { finite, infinite, number, notanumber, normal, subnormal };

/// Zeros count as normal.
template <class U, Test Which>
bool test(U bits) {
    constexpr U infinity = sizeof(U) == 4 ? U{0x7f800000} : static_cast<U>(0x7ff0000000000000);
    constexpr U least_normal = infinity & -infinity;
    const U magnitude = bits & (static_cast<U>(~U{0}) >> 1);
    switch (Which) {
        case Test::finite: return magnitude < infinity;
        case Test::infinite: return magnitude == infinity;
        case Test::number: return magnitude <= infinity;
        case Test::notanumber: return magnitude > infinity;
        case Test::normal: return magnitude == 0 || (magnitude >= least_normal && magnitude < infinity);
        default: return magnitude != 0 && magnitude < least_normal;
    }
}

template <Test Which>
void testp(Decode& d) {
    const Type t = d.type();
    d.expect(2, 2);
    d.inst.a = d.source(1, t);
    d.inst.d = d.predicate_dest(d.operand(0));
    d.inst.run = by_size(bytes_of(t), [](auto z) -> Handler {
        using U = std::conditional_t<sizeof(z) == 8, uint64_t, uint32_t>;
        return [](Warp& w, const Inst& i, Mask mask) {
            w.put_predicate(i.d, where(w.get<U>(i.a), test<U, Which>), mask);
        };
    });
}

#define EMU_SELECTED "b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64"
#define EMU_BOOLEAN " [and|or|xor] "
#define EMU_EQUAL "eq|ne" EMU_BOOLEAN
#define EMU_SIGNED "eq|ne|lt|le|gt|ge" EMU_BOOLEAN
#define EMU_UNSIGNED "eq|ne|lt|le|gt|ge|lo|ls|hi|hs" EMU_BOOLEAN
#define EMU_FLOAT "eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan" EMU_BOOLEAN

constexpr Form kForms[] = {
    {"setp", EMU_EQUAL "b16|b32|b64", "p[|q], a, b[, {!}c]", setp},
    {"setp", EMU_SIGNED "s16|s32|s64", "p[|q], a, b[, {!}c]", setp},
    {"setp", EMU_UNSIGNED "u16|u32|u64", "p[|q], a, b[, {!}c]", setp},
    {"setp", EMU_FLOAT "[ftz] f32", "p[|q], a, b[, {!}c]", setp},
    {"setp", EMU_FLOAT "f64", "p[|q], a, b[, {!}c]", setp},
    {"setp", EMU_FLOAT "[ftz] f16", "p, a, b[, {!}c]", setp},
    {"setp", EMU_FLOAT "bf16", "p, a, b[, {!}c]", setp},
    {"setp", EMU_FLOAT "[ftz] f16x2", "p[|q], a, b[, {!}c]", setp},
    {"setp", EMU_FLOAT "bf16x2", "p[|q], a, b[, {!}c]", setp},
    {"set", EMU_EQUAL "u32|s32|f32|f16|bf16 b16|b32|b64", "d, a, b[, {!}c]", set},
    {"set", EMU_SIGNED "u32|s32|f32|f16|bf16 s16|s32|s64", "d, a, b[, {!}c]", set},
    {"set", EMU_UNSIGNED "u32|s32|f32|f16|bf16 u16|u32|u64", "d, a, b[, {!}c]", set},
    {"set", EMU_FLOAT "[ftz] u32|s32|f32|f16 f32", "d, a, b[, {!}c]", set},
    {"set", EMU_FLOAT "bf16 f32", "d, a, b[, {!}c]", set},
    {"set", EMU_FLOAT "u32|s32|f32|f16|bf16 f64", "d, a, b[, {!}c]", set},
    {"set", EMU_FLOAT "[ftz] u16|s16|u32|s32|f16 f16", "d, a, b[, {!}c]", set},
    {"set", EMU_FLOAT "bf16 f16", "d, a, b[, {!}c]", set},
    {"set", EMU_FLOAT "u16|s16|u32|s32|bf16 bf16", "d, a, b[, {!}c]", set},
    {"set", EMU_FLOAT "[ftz] f16x2|u32|s32 f16x2", "d, a, b[, {!}c]", set},
    {"set", EMU_FLOAT "bf16x2|u32|s32 bf16x2", "d, a, b[, {!}c]", set},
    {"selp", EMU_SELECTED, "d, a, b, c", selp},
    {"slct", EMU_SELECTED " s32", "d, a, b, c", slct<int32_t, Slct>},
    {"slct", EMU_SELECTED " f32", "d, a, b, c", slct<float, Slct>},
    {"slct", "ftz " EMU_SELECTED " f32", "d, a, b, c", slct<float, SlctFlushed>},
    {"testp", "finite f32|f64", "p, a", testp<Test::finite>},
    {"testp", "infinite f32|f64", "p, a", testp<Test::infinite>},
    {"testp", "number f32|f64", "p, a", testp<Test::number>},
    {"testp", "notanumber f32|f64", "p, a", testp<Test::notanumber>},
    {"testp", "normal f32|f64", "p, a", testp<Test::normal>},
    {"testp", "subnormal f32|f64", "p, a", testp<Test::subnormal>},
};

}  // namespace

Forms compare_forms() { return kForms; }

}  // namespace emu
