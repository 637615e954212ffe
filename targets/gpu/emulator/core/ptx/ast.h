// The syntax of a PTX module, as the parser leaves it: names resolved to nothing yet, every statement with its place.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace emu {

/// A PTX text that is not one, or uses what is not supported. The message begins with "line N: ".
struct PtxError : std::runtime_error {
    uint32_t line;
    bool unsupported;  // it is PTX, and not the emulator's
    PtxError(uint32_t line, const std::string& message, bool unsupported = false)
        : std::runtime_error("line " + std::to_string(line) + ": " + message), line(line), unsupported(unsupported) {}
};

enum class Type : uint8_t {
    none, pred, b8, b16, b32, b64, b128, u8, u16, u32, u64, s8, s16, s32, s64,
    f16, f16x2, bf16, bf16x2, f32, f64, f32x2,
    texref, samplerref, surfref,  // declared only; their use is refused
};

enum class Space : uint8_t { none, reg, param, local, shared, global, constant, generic };

namespace ast {

struct Operand {
    enum Kind : uint8_t {
        reg,       // name (a register, a special register, or any bare identifier: symbol, label, function; see `name`)
        integer,   // bits: two's complement of the literal; `negative` if it was written with a minus
        real,      // bits: the IEEE double of the literal (0d..., 1.5) or, with `single`, of a 0f... literal widened
        address,   // [name + offset], [integer] (in `offset`, no name), or with `coordinates` [name, {c0, c1}] of tensors
        vector,    // elements: {a, b, c, d}
        sink,      // _
        pair,      // elements: d|p
        list,      // elements: the parenthesised parameters of call
        member,    // v.x on vector registers: name "v", `offset` the component 0..3; %tid.x is one `reg` named "%tid.x"
        symbol_offset,  // name + offset, outside of brackets (mov.u64 %rd, array+8)
        negated,   // !p, or with `negative` -r: elements[0]
    } kind = sink;
    std::string name;
    uint64_t bits = 0;
    int64_t offset = 0;         // of address and symbol_offset
    bool negative = false;
    bool single = false;        // a 0f literal: its 32 bits are in the low half of `raw32`
    bool is_unsigned = false;   // an integer literal with suffix U
    uint32_t raw32 = 0;
    std::vector<Operand> elements;     // of vector, pair, list, negated
    std::vector<Operand> coordinates;  // of address: what follows the first comma inside the brackets, its {} removed
};

struct Guard {
    std::string name;  // empty: none
    bool negated = false;
};

struct Instruction {
    uint32_t line = 0;
    uint32_t file = 0, file_line = 0;     // from .loc; 0: none
    Guard guard;
    std::string opcode;                   // "add"
    std::vector<std::string> modifiers;   // {"rn", "ftz", "f32"}; "shared::cta" is one modifier
    std::vector<Operand> operands;        // in the order written; of call: see call_*
    // call (results), callee, (arguments), prototype_or_targets
    uint32_t scope = 0;                   // the block {...} it stands in: an index into Function::scopes
};

struct Label {
    std::string name;
    uint32_t instruction = 0;  // the index that it stands before; the code's size at the end of the body
    uint32_t line = 0;
    uint32_t scope = 0;
};

/// What an initializer holds at a place: a number's bytes, or the address of a symbol.
struct Initializer {
    std::vector<uint8_t> bytes;        // little endian, of the whole variable (missing tail: zeros)
    struct Relocation {
        uint64_t at;                   // byte in `bytes`
        uint32_t size;                 // 4 or 8 (1 with mask())
        std::string symbol;
        int64_t addend = 0;
        bool generic = false;          // generic(symbol)
        uint64_t mask = 0;             // mask(symbol): which byte; 0: none
    };
    std::vector<Relocation> relocations;
};

struct Variable {
    std::string name;
    uint32_t line = 0;
    Space space = Space::none;
    Type type = Type::none;
    uint32_t vector = 1;          // .v2, .v4
    uint64_t count = 1;           // elements of the array, of all dimensions; 0: `[]`, sized at launch
    bool array = false;
    uint64_t bytes = 0;           // the whole
    uint32_t align = 0;           // bytes; the type's where not written
    bool external = false, visible = false, weak = false, common = false;
    bool pointer = false;         // .param .u64 .ptr ...: kernel parameter
    Space pointee = Space::none;  // of a pointer: the space and alignment written after .ptr
    uint32_t pointee_align = 0;
    std::optional<Initializer> initializer;
    uint32_t scope = 0;           // functions' variables: the block it stands in
    uint32_t range = 0;           // .reg .b32 %r<10>: name "%r", range 10; 0: one register
};

/// A block {...}: registers and .param variables declared in it hide those outside.
struct Scope {
    uint32_t parent = 0;          // itself for the function's own
};

struct Prototype {                // .callprototype, .calltargets, .branchtargets: named by a label
    enum Kind : uint8_t { call, call_targets, branch_targets } kind = call;
    std::string name;
    uint32_t line = 0;
    std::vector<Variable> results, parameters;
    std::vector<std::string> targets;
    bool noreturn = false;
    uint32_t scope = 0;
};

struct Function {
    std::string name;
    uint32_t line = 0;
    bool entry = false, visible = false, external = false, weak = false, noreturn = false;
    bool defined = false;         // it has a body
    std::vector<Variable> results, parameters;
    std::vector<Scope> scopes;    // [0] is the function's own
    std::vector<Variable> variables;  // .reg, .local, .shared, .param inside of the body
    std::vector<Instruction> code;
    std::vector<Label> labels;
    std::vector<Prototype> prototypes;  // of calls and of branch tables
    // Directives; 0 where not written.
    uint32_t maxntid[3] = {0, 0, 0}, reqntid[3] = {0, 0, 0}, cluster[3] = {0, 0, 0};
    bool explicit_cluster = false, blocks_are_clusters = false;
    uint32_t max_cluster_rank = 0, minnctapersm = 0, maxnreg = 0;
    std::vector<std::string> pragmas;
};

struct Module {
    uint32_t version_major = 0, version_minor = 0;
    std::string target;              // "sm_90a"
    std::vector<std::string> target_options;
    uint32_t address_size = 64;
    std::map<uint32_t, std::string> files;
    std::vector<std::string> pragmas;
    std::vector<Variable> variables; // .global, .const, .shared at the top
    std::vector<Function> functions; // in order of first appearance; a declaration is replaced by its definition
    std::vector<std::pair<std::string, std::string>> aliases;  // .alias a, b
};

}  // namespace ast

/// Parses a whole module. Throws PtxError; never anything else, whatever the bytes.
std::unique_ptr<ast::Module> parse(const std::string& text);

/// The module as PTX text again, one statement a line; kernels stand behind functions. Parsing it gives the
/// same module but for that order and the lines.
std::string dump(const ast::Module& module);

}  // namespace emu
