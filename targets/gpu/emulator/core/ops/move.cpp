// Moves: mov of registers, literals, special registers, addresses and vectors, and cvta between spaces.
#include "decode/context.h"
#include "machine/memory.h"
#include "ops/pick.h"
#include "ops/special.h"

namespace emu {
namespace {

struct Bits128 { uint64_t low, high; };

struct Same {
    template <class T> T operator()(T v) const { return v; }
};

Handler copy_of(uint32_t bytes) {
    switch (bytes) {
        case 2: case 4: case 8: return by_size(bytes, Unary<Same>{});
        default: return [](Warp& w, const Inst& i, Mask mask) {
            Bits128 d[kLanes];
            std::memcpy(d, w.get<uint8_t>(i.a), sizeof d);
            w.put(i.d, d, mask);
        };
    }
}

/// A 32-bit base of the warp plus i.imm: addresses in shared and local memory.
template <class D>
void run_address(Warp& w, const Inst& i, Mask mask) {
    const uint32_t* a = w.get<uint32_t>(i.a);
    D d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = static_cast<D>(a[l] + static_cast<uint64_t>(i.imm));
    w.put(i.d, d, mask);
}

// ---- mov of vectors -------------------------------------------------------------------------------------------------

/// The registers of a vector that stands for one of `bytes`, lowest first.
struct Elements {
    uint32_t count = 0, bytes = 0;  // bytes of each
    Slot slots[4] = {};             // kNone: not wanted
};

/// What a register of a part's type holds a lane: those of 8 bits take 16.
template <class Part>
using Held = std::conditional_t<sizeof(Part) == 1, uint16_t, Part>;

template <class Part>
void run_pack(Warp& w, const Inst& i, Mask mask) {
    const auto& from = i.as<Elements>();
    const uint32_t whole = from.count * sizeof(Part);
    Part d[16 / sizeof(Part) * kLanes];
    for (uint32_t k = 0; k < from.count; ++k) {
        const Held<Part>* a = w.get<Held<Part>>(from.slots[k]);
        for (uint32_t l = 0; l < kLanes; ++l) d[l * from.count + k] = static_cast<Part>(a[l]);
    }
    if (mask == kAll) {
        std::memcpy(w.out<uint8_t>(i.d), d, whole * kLanes);
    } else {
        for (uint32_t l = 0; l < kLanes; ++l) {
            if (mask >> l & 1) std::memcpy(w.out<uint8_t>(i.d) + l * whole, d + l * from.count, whole);
        }
    }
}

template <class Part>
void run_unpack(Warp& w, const Inst& i, Mask mask) {
    const auto& to = i.as<Elements>();
    Part a[16 / sizeof(Part) * kLanes];
    std::memcpy(a, w.get<uint8_t>(i.a), to.count * sizeof(Part) * kLanes);
    for (uint32_t k = 0; k < to.count; ++k) {
        if (to.slots[k] == kNone) continue;
        Held<Part> d[kLanes];
        for (uint32_t l = 0; l < kLanes; ++l) d[l] = a[l * to.count + k];
        w.put(to.slots[k], d, mask);
    }
}

// Pairs of halves, by far the most frequent.
template <class Whole, class Half>
void run_pack_pair(Warp& w, const Inst& i, Mask mask) {
    struct Join {
        Whole operator()(Half low, Half high) const { return low | static_cast<Whole>(high) << (8 * sizeof(Half)); }
    };
    binary<Whole, Half, Half, Join>(w, i, mask);
}

template <class Whole, class Half>
void run_unpack_pair(Warp& w, const Inst& i, Mask mask) {
    const Whole* a = w.get<Whole>(i.a);
    if (mask == kAll) {
        Half* low = w.out<Half>(i.d);
        Half* high = w.out<Half>(i.e);
        EMU_LANES(l) low[l] = static_cast<Half>(a[l]);
        EMU_LANES(l) high[l] = static_cast<Half>(a[l] >> (8 * sizeof(Half)));
    } else {
        Half low[kLanes], high[kLanes];
        for (int l = 0; l < kLanes; ++l) low[l] = static_cast<Half>(a[l]);
        for (int l = 0; l < kLanes; ++l) high[l] = static_cast<Half>(a[l] >> (8 * sizeof(Half)));
        w.put(i.d, low, mask);
        w.put(i.e, high, mask);
    }
}

Type untyped(uint32_t bytes) {
    switch (bytes) {
        case 1: return Type::b8;
        case 2: return Type::b16;
        case 4: return Type::b32;
        case 8: return Type::b64;
        default: return Type::b128;
    }
}

/// The parts of a vector operand, sources or destinations, of a move of `type`.
Elements vector_of(Decode& d, const std::vector<ast::Operand>& parts, Type type, bool sources) {
    Elements result;
    result.count = static_cast<uint32_t>(parts.size());
    const uint32_t whole = bytes_of(type);
    const bool whole_parts = result.count == 2 || result.count == 4;
    if (!whole_parts || result.count > whole || whole / result.count > 8) {
        d.fail("a vector of " + std::to_string(result.count) + " cannot be moved as a whole of this type");
    }
    result.bytes = whole / result.count;
    const Type part = untyped(result.bytes);
    for (uint32_t k = 0; k < result.count; ++k) {
        const bool sink = parts[k].kind == ast::Operand::sink;
        const bool literal = parts[k].kind == ast::Operand::integer;
        if (!sources) result.slots[k] = sink ? kNone : d.dest(parts[k], part);
        // Constants are held as registers are.
        else if (sink || literal) result.slots[k] = d.constant(sink ? 0 : parts[k].bits, std::max(result.bytes, 2u));
        else result.slots[k] = d.source(parts[k], part);
    }
    return result;
}

template <template <class> class Pick>
Handler by_part(uint32_t bytes) {
    switch (bytes) {
        case 1: return Pick<uint8_t>::run;
        case 2: return Pick<uint16_t>::run;
        case 4: return Pick<uint32_t>::run;
        default: return Pick<uint64_t>::run;
    }
}
template <class Part> struct Pack { static constexpr Handler run = run_pack<Part>; };
template <class Part> struct Unpack { static constexpr Handler run = run_unpack<Part>; };

bool is_vector(const Decode& d, const ast::Operand& o) {
    return o.kind == ast::Operand::vector || d.elements(o).size() > 1;
}

// ---- mov ------------------------------------------------------------------------------------------------------------

/// d = the address of a variable (in its own space) or a function.
void mov_address(Decode& d, const Entity& e, const ast::Operand& o, Type type) {
    if (is_float(type) || bytes_of(type) < 4 || bytes_of(type) > 8) d.fail("an address does not fit this type");
    const uint32_t bytes = bytes_of(type);
    const uint64_t address = e.address + static_cast<uint64_t>(o.offset);
    if (e.kind == Entity::function && o.offset != 0) d.fail("an offset to the address of function " + o.name);
    if (e.kind == Entity::variable && (e.space == Space::shared || e.space == Space::local)) {
        d.inst.a = e.space == Space::shared ? special_shared : special_frame;
        d.inst.imm = static_cast<int64_t>(address);
        d.inst.run = bytes == 4 ? run_address<uint32_t> : run_address<uint64_t>;
        return;
    }
    d.inst.a = d.constant(address, bytes);
    d.inst.run = copy_of(bytes);
}

void mov(Decode& d) {
    const Type type = d.type();
    const uint32_t bytes = bytes_of(type);
    d.expect(2, 2);
    const ast::Operand& to = d.operand(0);
    const ast::Operand& from = d.operand(1);
    const bool packs = is_vector(d, from), unpacks = is_vector(d, to);
    if (packs || unpacks) {
        if (packs && unpacks) d.fail("only one side can be a vector");
        if (type != untyped(bytes)) d.fail("vectors are moved by .b16, .b32, .b64 and .b128");
        const Elements parts = vector_of(d, d.elements(packs ? from : to), type, packs);
        if (packs) d.inst.d = d.dest(to, type);
        else d.inst.a = d.source(from, type);
        if (parts.count == 2 && (bytes == 4 || bytes == 8)) {
            (packs ? d.inst.a : d.inst.d) = parts.slots[0] == kNone ? static_cast<Slot>(special_sink) : parts.slots[0];
            (packs ? d.inst.b : d.inst.e) = parts.slots[1] == kNone ? static_cast<Slot>(special_sink) : parts.slots[1];
            if (packs) d.inst.run = bytes == 4 ? run_pack_pair<uint32_t, uint16_t> : run_pack_pair<uint64_t, uint32_t>;
            else d.inst.run = bytes == 4 ? run_unpack_pair<uint32_t, uint16_t> : run_unpack_pair<uint64_t, uint32_t>;
            return;
        }
        d.inst.run = packs ? by_part<Pack>(parts.bytes) : by_part<Unpack>(parts.bytes);
        d.attach(parts);
        return;
    }
    d.inst.d = d.dest(to, type);
    if (from.kind == ast::Operand::reg || from.kind == ast::Operand::symbol_offset) {
        const Entity e = d.find(from.name);
        if (e.kind == Entity::label) d.fail("the address of label " + from.name + " cannot be taken");
        if (e.kind == Entity::calls) d.fail(from.name + " is a list of targets or a prototype and has no address");
        if (e.kind == Entity::variable || e.kind == Entity::function) return mov_address(d, e, from, type);
        if (e.kind == Entity::none && from.kind == ast::Operand::reg) {
            Inst read = d.inst;
            read.n = static_cast<uint16_t>(bytes);
            if (special_register(d, from.name, read)) {
                d.inst = read;
                return;
            }
        }
    }
    d.inst.a = d.source(from, type);
    d.inst.run = copy_of(bytes);
}

void mov_pred(Decode& d) {
    d.expect(2, 2);
    d.inst.d = d.predicate_dest(d.operand(0));
    const ast::Operand& from = d.operand(1);
    if (from.kind == ast::Operand::reg && d.find(from.name).kind == Entity::none) {
        Inst read = d.inst;
        read.n = 0;
        if (special_register(d, from.name, read)) {
            d.inst = read;
            return;
        }
    }
    bool negated = false;
    d.inst.a = d.predicate(from, &negated);
    d.inst.n = negated;
    d.inst.run = [](Warp& w, const Inst& i, Mask mask) {
        w.put_predicate(i.d, w.predicate(i.a) ^ (i.n ? kAll : 0), mask);
    };
}

/// mov.v2, mov.v4: element by element, all read before any is written.
struct ElementMoves {
    uint32_t count, bytes;
    Slot from[4], to[4];
};

void run_mov_elements(Warp& w, const Inst& i, Mask mask) {
    const auto& moves = i.as<ElementMoves>();
    uint8_t values[4][8 * kLanes];
    for (uint32_t k = 0; k < moves.count; ++k) {
        std::memcpy(values[k], w.get<uint8_t>(moves.from[k]), moves.bytes * kLanes);
    }
    for (uint32_t k = 0; k < moves.count; ++k) {
        for (uint32_t l = 0; l < kLanes; ++l) {
            const uint32_t at = l * moves.bytes;
            if (mask >> l & 1) std::memcpy(w.out<uint8_t>(moves.to[k]) + at, values[k] + at, moves.bytes);
        }
    }
}

void mov_elements(Decode& d) {
    const Type type = d.type();
    d.expect(2, 2);
    const uint32_t count = d.word(0) == "v2" ? 2 : 4;
    const auto to = d.elements(d.operand(0));
    auto from = d.elements(d.operand(1));
    if (from.size() == 1 && from[0].kind == ast::Operand::reg && from[0].name.starts_with("%")) {
        // A special register as a whole: %tid is {%tid.x, %tid.y, %tid.z, 0}.
        const ast::Operand whole = from[0];
        from.assign(count, whole);
        for (uint32_t k = 0; k < count; ++k) from[k].name += std::string(".") + "xyzw"[k];
    }
    if (to.size() != count || from.size() != count) d.fail("both operands have " + std::to_string(count) + " elements");
    ElementMoves moves{count, bytes_of(type), {}, {}};
    for (uint32_t k = 0; k < count; ++k) {
        moves.from[k] = d.source(from[k], type);
        moves.to[k] = d.dest(to[k], type);
    }
    d.attach(moves);
    d.inst.run = run_mov_elements;
}

// ---- cvta -----------------------------------------------------------------------------------------------------------

/// Where a space lies among generic addresses; global and constant memory are where they are.
uint64_t window_of(Space space) {
    switch (space) {
        case Space::shared: return kSharedWindow;
        case Space::local: return kLocalWindow;
        case Space::param: return kParamWindow;
        default: return 0;
    }
}

Space space_word(const Decode& d, size_t n) {
    const std::string& word = d.word(n);
    if (word == "global") return Space::global;
    if (word == "const") return Space::constant;
    if (word == "local") return Space::local;
    return word[0] == 's' ? Space::shared : Space::param;
}

/// Into a window: what is in the register is an address of 32 bits.
void run_to_window(Warp& w, const Inst& i, Mask mask) {
    const uint64_t* a = w.get<uint64_t>(i.a);
    uint64_t d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = (a[l] & 0xffffffff) + static_cast<uint64_t>(i.imm);
    w.put(i.d, d, mask);
}

/// A device function's parameters lie in its frame.
Space where_params_are(const Decode& d, Space space) {
    return space == Space::param && !d.context.function->entry ? Space::local : space;
}

void cvta(Decode& d) {
    d.expect(2, 2);
    const Space space = space_word(d, 0);
    d.inst.d = d.dest(0, Type::u64);
    const ast::Operand& from = d.operand(1);
    if (from.kind == ast::Operand::reg || from.kind == ast::Operand::symbol_offset) {
        const Entity e = d.find(from.name);
        if (e.kind == Entity::variable) {
            if (e.space != space && e.space != where_params_are(d, space)) {
                d.fail(from.name + " does not lie in the space of the instruction");
            }
            Entity generic = e;
            generic.address += window_of(e.space);
            mov_address(d, generic, from, Type::u64);
            return;
        }
    }
    d.inst.a = d.source(from, Type::u64);
    const uint64_t window = window_of(where_params_are(d, space));
    d.inst.imm = static_cast<int64_t>(window);
    d.inst.run = window ? run_to_window : copy_of(8);
}

/// Out of a window: what is below it.
void cvta_to(Decode& d) {
    d.expect(2, 2);
    const Space space = where_params_are(d, space_word(d, 1));
    d.inst.a = d.source(1, Type::u64);
    d.inst.d = d.dest(0, Type::u64);
    d.inst.imm = 0;
    d.inst.run = window_of(space) ? run_to_window : copy_of(8);
}

#define EMU_SPACES "global|const|local|shared|shared::cta|shared::cluster|param|param::entry"

constexpr Form kForms[] = {
    {"mov", "b16|b32|b64|b128|u16|u32|u64|s16|s32|s64|f32|f64", "d, a", mov},
    {"mov", "pred", "d, a", mov_pred},
    {"mov", "v2 b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64", "d, a", mov_elements},
    {"mov", "v4 b16|b32|u16|u32|s16|s32|f32", "d, a", mov_elements},
    {"cvta", EMU_SPACES " u64", "p, a", cvta},
    {"cvta", "to " EMU_SPACES " u64", "p, a", cvta_to},
};

}  // namespace

Forms move_forms() { return kForms; }

}  // namespace emu
