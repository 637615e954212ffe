// Names, literals and registers of one instruction become slots.
#include "decode/decode.h"

#include <cstring>

#include "decode/context.h"
#include "ops/special.h"

namespace emu {

namespace {

struct Named { const char* name; Type type; };
constexpr Named kTypes[] = {
    {"pred", Type::pred},   {"b8", Type::b8},     {"b16", Type::b16},       {"b32", Type::b32}, {"b64", Type::b64},
    {"b128", Type::b128},   {"u8", Type::u8},     {"u16", Type::u16},       {"u32", Type::u32}, {"u64", Type::u64},
    {"s8", Type::s8},       {"s16", Type::s16},   {"s32", Type::s32},       {"s64", Type::s64}, {"f16", Type::f16},
    {"f16x2", Type::f16x2}, {"bf16", Type::bf16}, {"bf16x2", Type::bf16x2}, {"f32", Type::f32}, {"f64", Type::f64},
    {"f32x2", Type::f32x2},
};

std::string full_name(const ast::Instruction& i) {
    std::string s = i.opcode;
    for (const auto& m : i.modifiers) s += "." + m;
    return s;
}

/// The bits of a literal as a value of a type.
bool literal_bits(const ast::Operand& o, Type type, uint64_t& bits) {
    if (o.kind == ast::Operand::integer) {
        if (type == Type::f32 || type == Type::f64) return false;
        bits = o.bits;
    } else if (o.kind == ast::Operand::real) {
        const uint32_t bytes = bytes_of(type);
        if (bytes == 8) {
            bits = o.bits;
        } else if (bytes == 4) {
            if (o.single) {
                bits = o.raw32;
            } else {
                double d;
                std::memcpy(&d, &o.bits, 8);
                const float f = static_cast<float>(d);
                uint32_t b;
                std::memcpy(&b, &f, 4);
                bits = b;
            }
        } else {
            return false;
        }
    } else {
        return false;
    }
    const uint32_t bytes = bytes_of(type);
    if (bytes < 8) bits &= (uint64_t{1} << (8 * bytes)) - 1;
    return true;
}

/// v.x as the register that it is.
ast::Operand component_of(const ast::Operand& o) {
    ast::Operand component = o;
    component.kind = ast::Operand::reg;
    component.name += std::string(".") + "xyzw"[o.offset & 3];
    component.offset = 0;
    return component;
}

}  // namespace

Type type_named(const std::string& name) {
    for (const Named& n : kTypes) if (name == n.name) return n.type;
    return Type::none;
}

const char* name_of(Type type) {
    for (const Named& n : kTypes) if (type == n.type) return n.name;
    return "none";
}

Decode::Decode(Context& c, const ast::Instruction& instruction) : source_text(instruction), context(c) {}

void Decode::fail(const std::string& message) const {
    throw PtxError(source_text.line, full_name(source_text) + ": " + message);
}

void Decode::unsupported(const std::string& message) const {
    throw PtxError(source_text.line, full_name(source_text) + ": " + message, true);
}

void Decode::keep(std::shared_ptr<const void> p) { context.program.sides.push_back(std::move(p)); }

const std::string& Decode::word(size_t n) const {
    static const std::string empty;
    return n < words.size() ? words[n] : empty;
}

bool Decode::has(const char* modifier) const {
    for (const auto& m : source_text.modifiers) if (m == modifier) return true;
    return false;
}

Type Decode::type(size_t n) const {
    for (const auto& m : source_text.modifiers) {
        const Type t = type_named(m);
        if (t != Type::none && n-- == 0) return t;
    }
    fail("it has too few types");
}

const ast::Operand& Decode::operand(size_t n) const {
    if (n >= source_text.operands.size()) {
        fail("it has too few operands (" + std::to_string(source_text.operands.size()) + ")");
    }
    return source_text.operands[n];
}

void Decode::expect(size_t low, size_t high) const {
    const size_t n = source_text.operands.size();
    if (n < low || n > high) {
        const std::string range =
            low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
        fail("it has " + std::to_string(n) + " operands and takes " + range);
    }
}

Slot Decode::constant(uint64_t bits, uint32_t bytes) {
    if (bytes < 8) bits &= (uint64_t{1} << (8 * bytes)) - 1;
    const auto key = std::make_pair(bits, bytes);
    if (const auto it = context.constants.find(key); it != context.constants.end()) return it->second;
    uint8_t lanes[16 * kLanes] = {};
    for (int l = 0; l < kLanes; ++l) std::memcpy(lanes + l * bytes, &bits, std::min(bytes, 8u));
    const Slot slot = constant_lanes(lanes, bytes);
    context.constants[key] = slot;
    return slot;
}

Slot Decode::constant_lanes(const void* lanes, uint32_t bytes) {
    const std::string key(static_cast<const char*>(lanes), bytes * kLanes);
    if (const auto it = context.constant_lanes.find(key); it != context.constant_lanes.end()) return it->second;
    auto& bytes_out = context.program.constants;
    const size_t at = (bytes_out.size() + 63) / 64 * 64;
    if (at > (size_t{1} << 29)) fail("the kernel has too many constants");
    bytes_out.resize(at + bytes * kLanes);
    std::memcpy(bytes_out.data() + at, lanes, bytes * kLanes);
    const Slot slot = kConstant | static_cast<Slot>(at);
    context.constant_lanes[key] = slot;
    return slot;
}

Slot Decode::temporary(uint32_t bytes) { return context.take_register(bytes); }

void Decode::before(const Inst& i) { prefix.push_back(i); }

Entity Decode::find(const std::string& name) const {
    for (uint32_t s = context.scope;;) {
        const auto it = context.scopes[s].find(name);
        if (it != context.scopes[s].end()) return it->second;
        const uint32_t parent = context.function->scopes[s].parent;
        if (parent == s) break;
        s = parent;
    }
    if (const auto it = context.shared.find(name); it != context.shared.end()) return it->second;
    if (const Symbol* symbol = context.image.find(name)) {
        Entity e;
        e.kind = Entity::variable;
        e.space = symbol->space;
        e.address = symbol->address;
        e.bytes = symbol->region->bytes;
        e.declared = symbol->declared;
        return e;
    }
    if (const int64_t f = context.image.function(name); f >= 0) {
        Entity e;
        e.kind = Entity::function;
        e.address = kFunctionBase + 16ull * static_cast<uint64_t>(f);
        const auto it = context.functions.find(context.module.functions[static_cast<size_t>(f)].name);
        e.index = it == context.functions.end() ? 0xffffffffu : it->second;
        return e;
    }
    return {};
}

Slot Decode::source(size_t n, Type type) { return source(operand(n), type); }

Slot Decode::source(const ast::Operand& o, Type wanted) {
    Type declared = wanted;
    const Slot slot = source_at_least(o, wanted, &declared);
    if (bytes_of(declared) != bytes_of(wanted)) {
        fail("operand " + o.name + " is a ." + name_of(declared) + " register, and ." + name_of(wanted) + " is wanted");
    }
    return slot;
}

Slot Decode::source_at_least(const ast::Operand& o, Type wanted, Type* declared) {
    if (wanted == Type::pred) fail("a predicate stands where none can");
    if (o.kind == ast::Operand::member) return source_at_least(component_of(o), wanted, declared);
    const uint32_t bytes = bytes_of(wanted);
    *declared = wanted;
    if (o.kind == ast::Operand::integer || o.kind == ast::Operand::real) {
        uint64_t bits = 0;
        if (!literal_bits(o, wanted, bits)) {
            fail(std::string("the literal is no ") + name_of(wanted) +
                 (o.kind == ast::Operand::integer ? " (write 0f... or a decimal point)" : ""));
        }
        return constant(bits, bytes);
    }
    if (o.kind != ast::Operand::reg) fail("an operand is neither a register nor a literal");
    const Entity e = find(o.name);
    if (e.kind == Entity::reg) {
        if (e.type == Type::pred) fail("operand " + o.name + " is a predicate, and ." + name_of(wanted) + " is wanted");
        if (bytes_of(e.type) < bytes && !(bytes == 1)) {
            fail("operand " + o.name + " is a ." + name_of(e.type) + " register, and ." + name_of(wanted) +
                 " is wanted");
        }
        *declared = e.type;
        touched.push_back(e.slot);
        return e.slot;
    }
    if (e.kind == Entity::none) {
        if (bytes == 4) {
            if (o.name == "%tid.x") return special_tid_x;
            if (o.name == "%tid.y") return special_tid_y;
            if (o.name == "%tid.z") return special_tid_z;
            if (o.name == "%laneid") return special_laneid;
        }
        Inst read;
        read.d = temporary(bytes < 2 ? 2 : bytes);
        read.n = static_cast<uint16_t>(bytes);
        if (special_register(*this, o.name, read)) {
            before(read);
            return read.d;
        }
        fail("unknown name " + o.name);
    }
    if (e.kind == Entity::variable && (e.space == Space::global || e.space == Space::constant) && bytes == 8) {
        return constant(e.address, 8);
    }
    fail("operand " + o.name + " is no register (take the address of a variable with mov)");
}

Slot Decode::dest(size_t n, Type type) { return dest(operand(n), type); }

Slot Decode::dest(const ast::Operand& o, Type wanted) {
    Type declared = wanted;
    const Slot slot = dest_at_least(o, wanted, &declared);
    if (bytes_of(declared) != bytes_of(wanted)) {
        fail("destination " + o.name + " is a ." + name_of(declared) + " register, and ." + name_of(wanted) +
             " is wanted");
    }
    return slot;
}

Slot Decode::dest_at_least(const ast::Operand& o, Type wanted, Type* declared) {
    *declared = wanted;
    if (o.kind == ast::Operand::sink) return special_sink;
    if (o.kind == ast::Operand::member) return dest_at_least(component_of(o), wanted, declared);
    if (o.kind != ast::Operand::reg) fail("the destination is no register");
    const Entity e = find(o.name);
    if (e.kind != Entity::reg) fail("the destination " + o.name + " is no register");
    if (e.type == Type::pred || bytes_of(e.type) < bytes_of(wanted)) {
        fail("destination " + o.name + " is a ." + name_of(e.type) + " register, and ." + name_of(wanted) +
             " is wanted");
    }
    *declared = e.type;
    touched.push_back(e.slot | Program::kWritten);
    return e.slot;
}

Slot Decode::predicate(const ast::Operand& o, bool* negated) {
    const ast::Operand* p = &o;
    if (negated) *negated = false;
    if (p->kind == ast::Operand::negated) {
        if (!negated || p->elements.size() != 1) fail("a negated predicate stands where none can");
        *negated = true;
        p = &p->elements[0];
    }
    if (p->kind == ast::Operand::integer) {
        const Mask lanes[kLanes] = {p->bits ? kAll : 0};
        return constant_lanes(lanes, 4);
    }
    if (p->kind == ast::Operand::reg) {
        const Entity e = find(p->name);
        if (e.kind == Entity::reg && e.type == Type::pred) {
            touched.push_back(e.slot);
            return e.slot;
        }
    }
    fail("operand " + p->name + " is no predicate register");
}

Slot Decode::predicate_dest(const ast::Operand& o) {
    if (o.kind == ast::Operand::sink) return special_sink;
    if (o.kind == ast::Operand::reg) {
        const Entity e = find(o.name);
        if (e.kind == Entity::reg && e.type == Type::pred) {
            touched.push_back(e.slot | Program::kWritten);
            return e.slot;
        }
    }
    fail("destination " + o.name + " is no predicate register");
}

std::vector<const ast::Operand*> Decode::parts(size_t n) const {
    const ast::Operand& o = operand(n);
    if (o.kind != ast::Operand::pair) return {&o};
    std::vector<const ast::Operand*> result;
    for (const auto& e : o.elements) result.push_back(&e);
    if (result.size() != 2) fail("a pair has two parts");
    return result;
}

std::vector<ast::Operand> Decode::elements(const ast::Operand& o) const {
    if (o.kind == ast::Operand::vector) return o.elements;
    if (o.kind == ast::Operand::reg) {
        const Entity e = find(o.name);
        if (e.kind == Entity::vector_reg) {
            std::vector<ast::Operand> result;
            for (uint32_t k = 0; k < e.elements; ++k) {
                ast::Operand part = o;
                part.name += std::string(".") + "xyzw"[k & 3];
                result.push_back(std::move(part));
            }
            return result;
        }
    }
    return {o};
}

bool Decode::is_literal(size_t n) const {
    return n < operands() && source_text.operands[n].kind == ast::Operand::integer;
}

int64_t Decode::literal(size_t n) const {
    const ast::Operand& o = operand(n);
    if (o.kind != ast::Operand::integer) fail("operand " + std::to_string(n + 1) + " must be an integer literal");
    return static_cast<int64_t>(o.bits);
}

Space Decode::address(size_t n, Space space) {
    const Address a = address_of(operand(n), space);
    inst.a = a.base;
    inst.imm = a.imm;
    inst.space = a.space;
    if (a.address32) inst.flags |= Inst::address32;
    return a.space;
}

Decode::Address Decode::address_of(const ast::Operand& o, Space space) {
    Address result;
    result.space = space;
    if (o.kind != ast::Operand::address && o.kind != ast::Operand::symbol_offset && o.kind != ast::Operand::reg) {
        fail("an operand is no address");
    }
    result.imm = o.offset;
    if (o.name.empty()) {
        result.base = constant(0, 8);
        return result;
    }
    const Entity e = find(o.name);
    if (e.kind == Entity::reg) {
        const uint32_t bytes = bytes_of(e.type);
        if (bytes != 4 && bytes != 8) fail("the address " + o.name + " is a ." + name_of(e.type) + " register");
        touched.push_back(e.slot);
        result.base = e.slot;
        result.address32 = bytes == 4;
        return result;
    }
    if (e.kind != Entity::variable) fail("the address names " + o.name + ", which is no register and no variable");
    const bool generic = space == Space::generic;
    if (!generic && e.space != space && !(space == Space::param && e.space == Space::local)) {
        fail("the address names " + o.name + ", which does not lie in the space of the instruction");
    }
    if (e.space == Space::shared) {
        result.base = special_shared;
        result.address32 = true;
        result.imm += static_cast<int64_t>(e.address) + (generic ? static_cast<int64_t>(kSharedWindow) : 0);
    } else if (e.space == Space::local) {
        result.base = special_frame;
        result.address32 = true;
        result.imm += static_cast<int64_t>(e.address) + (generic ? static_cast<int64_t>(kLocalWindow) : 0);
        if (!generic) result.space = Space::local;
    } else if (e.space == Space::param) {
        result.base = constant(e.address + (generic ? kParamWindow : 0), 8);
    } else {
        result.base = constant(e.address, 8);
    }
    return result;
}

uint32_t Decode::label(size_t n) const {
    const ast::Operand& o = operand(n);
    if (o.kind == ast::Operand::reg) {
        const Entity e = find(o.name);
        if (e.kind == Entity::label) return e.index;
    }
    fail("unknown label " + o.name);
}

}  // namespace emu
