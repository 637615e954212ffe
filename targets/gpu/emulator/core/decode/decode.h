// What a row of the form tables uses to turn a parsed instruction into an Inst.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "decode/form.h"
#include "machine/program.h"
#include "ptx/ast.h"

namespace emu {

constexpr uint32_t bytes_of(Type type) {
    switch (type) {
        case Type::b8: case Type::u8: case Type::s8: return 1;
        case Type::b16: case Type::u16: case Type::s16: case Type::f16: case Type::bf16: return 2;
        case Type::b32: case Type::u32: case Type::s32: case Type::f32: case Type::f16x2: case Type::bf16x2: return 4;
        case Type::b64: case Type::u64: case Type::s64: case Type::f64: case Type::f32x2: return 8;
        case Type::b128: return 16;
        default: return 0;
    }
}
constexpr bool is_float(Type t) {
    return t == Type::f16 || t == Type::f16x2 || t == Type::bf16 || t == Type::bf16x2 || t == Type::f32 || t == Type::f64 ||
           t == Type::f32x2;
}
constexpr bool is_signed(Type t) { return t == Type::s8 || t == Type::s16 || t == Type::s32 || t == Type::s64; }
/// "f16x2" and so on; Type::none for other words (e4m3x2 is a modifier, not a Type).
Type type_named(const std::string& name);
const char* name_of(Type type);

/// What a name stands for at a place in a function.
struct Entity {
    enum Kind : uint8_t { none, reg, vector_reg, variable, function, label, calls, special } kind = none;
    Type type = Type::none;         // of registers
    Slot slot = kNone;              // of registers
    uint32_t elements = 1;          // of vector registers; x, y, z and w are names of their own
    Space space = Space::none;      // of variables
    uint64_t address = 0;           // of variables: in their space (global, constant: virtual; local, param of device
                                    // functions: offset in the frame, space local)
    uint64_t bytes = 0;
    uint32_t index = 0;             // of functions: in the program; of labels: the pc
    const ast::Prototype* prototype = nullptr;
    const ast::Variable* declared = nullptr;
};

/// Where control may go from an instruction, for the basic blocks.
struct Flow {
    enum Kind : uint8_t { on, branch, table, call, end } kind = on;
    std::vector<uint32_t> labels;  // of branch and table: indices of the function's parsed instructions
};

class Decode {
public:
    const ast::Instruction& source_text;             // as parsed
    Inst inst;                                      // the result: run, and what else the family needs

    // ---- modifiers --------------------------------------------------------------------------------------------------
    /// The word chosen at the n-th place of the form (0-based, brackets counted); "" where left out.
    const std::string& word(size_t n) const;
    bool has(const char* modifier) const;           // among the instruction's modifiers
    /// The n-th modifier that is a type (Type), in order; fails if there are fewer.
    Type type(size_t n = 0) const;

    // ---- operands ---------------------------------------------------------------------------------------------------
    size_t operands() const { return source_text.operands.size(); }
    const ast::Operand& operand(size_t n) const;    // fails with a clear message if there is none
    void expect(size_t low, size_t high) const;     // this many operands, or fail
    /// A source of exactly this size: a register, a special register (read into a temporary by an instruction put
    /// before), or a literal made a constant of that type (integer literals to floats are refused, as in ptxas; 0f and
    /// 0d literals fit their types; floats are rounded to the type).
    Slot source(size_t n, Type type);
    Slot source(const ast::Operand&, Type type);
    /// A source whose register may be wider than the type (st, cvt): the register's own type comes back.
    Slot source_at_least(const ast::Operand&, Type type, Type* declared);
    /// A destination of exactly this size; `_` gives the sink.
    Slot dest(size_t n, Type type);
    Slot dest(const ast::Operand&, Type type);
    /// A destination that may be wider (ld, cvt).
    Slot dest_at_least(const ast::Operand&, Type type, Type* declared);
    /// Predicates. `negated` is set for !p (null: !p is refused). Literals 0 and 1 are constants.
    Slot predicate(const ast::Operand&, bool* negated);
    Slot predicate_dest(const ast::Operand&);       // `_` gives the sink
    /// For `d|p` operands: the parts (one element if there is no bar).
    std::vector<const ast::Operand*> parts(size_t n) const;
    /// For vectors {a, b}: the elements; a vector register gives its components; a scalar one element.
    std::vector<ast::Operand> elements(const ast::Operand&) const;
    /// An integer literal or constant expression; fails otherwise.
    int64_t literal(size_t n) const;
    bool is_literal(size_t n) const;
    /// Constant lanes of a type's size, all equal to the low bytes of `bits` (deduplicated).
    Slot constant(uint64_t bits, uint32_t bytes);
    Slot constant_lanes(const void* lanes, uint32_t bytes);   // bytes a lane, 32 of them
    /// A register of its own for the form's purposes, `bytes` a lane.
    Slot temporary(uint32_t bytes);

    /// An address operand: sets inst.a, inst.imm, and Inst::address32. `space` is the instruction's (generic where it
    /// names none); a symbol's own space must agree, and for generic the symbol's generic address is taken. Device
    /// functions' .param symbols turn `space` into local. Returns the space to access.
    Space address(size_t n, Space space);
    /// The same into other fields than inst's (instructions with two addresses).
    struct Address { Slot base = kNone; int64_t imm = 0; bool address32 = false; Space space = Space::none; };
    Address address_of(const ast::Operand&, Space space);

    /// What a name stands for; kind none if nothing.
    Entity find(const std::string& name) const;
    /// The pc of a label.
    uint32_t label(size_t n) const;

    // ---- results ----------------------------------------------------------------------------------------------------
    /// Keeps a value for the handler: inst.as<T>().
    template <class T>
    const T* attach(T value) {
        auto p = std::make_shared<const T>(std::move(value));
        keep(p);
        inst.side = p.get();
        return p.get();
    }
    /// Appends an instruction before the one being decoded (guarded alike): reads of special registers, and so on.
    void before(const Inst&);
    void ends_block() { inst.flags |= Inst::block_end; }

    [[noreturn]] void fail(const std::string& message) const;  // PtxError with the line and the instruction
    [[noreturn]] void unsupported(const std::string& message) const;

    // Defined in context.h.
    struct Context;
    Decode(Context& context, const ast::Instruction& instruction);
    Context& context;
    std::vector<std::string> words;                 // chosen, by place of the form
    std::vector<Inst> prefix;                       // before
    std::vector<Inst> suffix;                       // what must run behind it, on return from a call
    Flow flow;
    std::vector<Slot> touched;                      // see Program::operands

private:
    void keep(std::shared_ptr<const void> p);
};

}  // namespace emu
