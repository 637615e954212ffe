// Declarations of variables, registers and parameters.
#include "ptx/parser.h"

#include <algorithm>

namespace emu::ptx {
namespace {

struct TypeRow {
    const char* name;
    uint32_t bytes;
};

// In the order of emu::Type.
constexpr TypeRow types[] = {
    {"", 0},          {".pred", 0}, {".b8", 1},     {".b16", 2},    {".b32", 4},        {".b64", 8},
    {".b128", 16},    {".u8", 1},   {".u16", 2},    {".u32", 4},    {".u64", 8},        {".s8", 1},
    {".s16", 2},      {".s32", 4},  {".s64", 8},    {".f16", 2},    {".f16x2", 4},      {".bf16", 2},
    {".bf16x2", 4},   {".f32", 4},  {".f64", 8},    {".f32x2", 8},  {".texref", 8},     {".samplerref", 8},
    {".surfref", 8},
};
static_assert(std::size(types) == static_cast<size_t>(Type::surfref) + 1);

constexpr uint64_t largest = uint64_t{1} << 40;          // bytes of a variable
constexpr uint64_t most_registers = uint64_t{1} << 20;   // of a module
constexpr uint64_t largest_parameter = uint64_t{1} << 20; // bytes; kernels' are bounded together, too
constexpr uint64_t largest_alignment = uint64_t{1} << 18;

bool is_opaque(Type type) { return type == Type::texref || type == Type::samplerref || type == Type::surfref; }

}  // namespace

Type type_named(std::string_view text) {
    for (size_t i = 1; i < std::size(types); ++i) {
        if (text == types[i].name) return static_cast<Type>(i);
    }
    return Type::none;
}

const char* type_name(Type type) { return types[static_cast<size_t>(type)].name; }
uint32_t type_bytes(Type type) { return types[static_cast<size_t>(type)].bytes; }

Space space_named(std::string_view text) {
    for (auto space : {Space::reg, Space::param, Space::local, Space::shared, Space::global, Space::constant}) {
        if (text == space_name(space)) return space;
    }
    return Space::none;
}

const char* space_name(Space space) {
    switch (space) {
        case Space::reg: return ".reg";
        case Space::param: return ".param";
        case Space::local: return ".local";
        case Space::shared: return ".shared";
        case Space::global: return ".global";
        case Space::constant: return ".const";
        case Space::generic: return ".generic";
        case Space::none: break;
    }
    return "";
}

uint32_t Parser::alignment() {
    auto line = token_.line;
    uint64_t align = constant("the alignment", largest_alignment);
    if (align == 0 || (align & (align - 1))) {
        throw PtxError(line, "the alignment " + std::to_string(align) + " is not a power of two");
    }
    return static_cast<uint32_t>(align);
}

/// .attribute(.managed), .attribute(.unified(low, high)): where memory lives is no concern of an emulator.
void Parser::attribute() {
    advance();
    expect("(", "after .attribute");
    do {
        if (accept(".managed")) continue;
        if (!accept(".unified")) expected(".managed or .unified");
        expect("(", "after .unified");
        constant("the first half of the identifier", UINT64_MAX);
        expect(",", "between the halves of the identifier");
        constant("the second half of the identifier", UINT64_MAX);
        expect(")", "after .unified(...");
    } while (accept(","));
    expect(")", "after .attribute(...");
}

/// What stands before the names of a declaration: `.shared .align 16 .v2 .f32`.
ast::Variable Parser::declaration(bool parameter) {
    ast::Variable variable;
    variable.space = space_named(token_.text);
    advance();
    bool vector = false;
    while (token_.kind == Token::dotted) {
        if (accept(".align")) {
            uint32_t align = alignment();
            (variable.pointer ? variable.pointee_align : variable.align) = align;
        } else if (at(".attribute")) {
            attribute();
        } else if (!vector && (at(".v2") || at(".v4") || at(".v8"))) {
            variable.vector = static_cast<uint32_t>(token_.text[2] - '0');
            vector = true;
            advance();
        } else if (variable.type == Type::none && type_named(token_.text) != Type::none) {
            variable.type = type_named(token_.text);
            advance();
        } else if (parameter && variable.type != Type::none && !variable.pointer && accept(".ptr")) {
            variable.pointer = true;
            auto pointee = token_.kind == Token::dotted ? space_named(token_.text) : Space::none;
            if (pointee == Space::global || pointee == Space::constant || pointee == Space::shared ||
                pointee == Space::local) {
                variable.pointee = pointee;
                advance();
            } else if (accept(".generic")) {
                variable.pointee = Space::generic;
            }
        } else {
            break;
        }
    }
    if (variable.type == Type::none) expected("a type");
    if (variable.type == Type::pred && variable.space != Space::reg) fail("only registers are of type .pred");
    if (is_opaque(variable.type) && variable.space != Space::global && variable.space != Space::param) {
        fail(std::string("a variable of type ") + type_name(variable.type) + " is .global or .param");
    }
    if (vector && (variable.type == Type::pred || is_opaque(variable.type) ||
                   variable.vector * type_bytes(variable.type) > 32)) {
        fail(".v" + std::to_string(variable.vector) + " does not go with " + type_name(variable.type));
    }
    if (variable.align == 0) variable.align = std::max(1u, variable.vector * type_bytes(variable.type));
    return variable;
}

void Parser::dimensions(ast::Variable& variable, std::vector<uint64_t>& sizes) {
    while (accept("[")) {
        if (sizes.size() >= 64) fail("more than 64 dimensions");
        variable.array = true;
        if (accept("]")) {
            if (!sizes.empty()) fail("only the first dimension may be left open: '[]'");
            sizes.push_back(0);
            continue;
        }
        auto line = token_.line;
        sizes.push_back(constant("the size of an array", largest));
        bool parameter = variable.space == Space::param;
        if (sizes.back() == 0 && !parameter) throw PtxError(line, "an array of no elements");
        expect("]", "after the size of an array");
    }
}

/// A name with its range, dimensions and initializer.
void Parser::declarator(ast::Variable& variable, bool parameter) {
    variable.line = token_.line;
    if (parameter && token_.text == "_" && token_.kind == Token::name) {
        advance();
        variable.name = "_";
    } else {
        variable.name = name("the name of a variable");
    }
    if (variable.space == Space::reg) {
        uint64_t count = 1;
        if (!parameter && accept("<")) {
            if (token_.kind != Token::integer) expected("the number of registers");
            count = token_.value;
            if (count > most_registers) fail("more than " + std::to_string(most_registers) + " registers");
            variable.range = static_cast<uint32_t>(count);
            advance();
            expect(">", "after the number of registers");
        }
        registers_ += count * variable.vector;
        if (registers_ > most_registers) fail("more than " + std::to_string(most_registers) + " registers");
        variable.bytes = uint64_t{variable.vector} * type_bytes(variable.type);
        if (at("[")) fail("registers do not form arrays");
        return;
    }
    if (at("<")) fail("only registers are declared in ranges");
    std::vector<uint64_t> sizes;
    dimensions(variable, sizes);
    for (uint64_t size : sizes) {
        if (size && variable.count > largest / size) fail("an array of more than 2^40 bytes");
        variable.count *= size;
    }
    if (at("=")) initializer(variable, sizes);
    bool open = variable.array && variable.count == 0;
    bool may_be_open = variable.external || variable.space == Space::param;
    if (open && !may_be_open) fail("the array '" + printable(variable.name) + "' has neither size nor initializer");
    uint64_t unit = uint64_t{variable.vector} * type_bytes(variable.type);
    if (unit && variable.count > largest / unit) fail("an array of more than 2^40 bytes");
    variable.bytes = variable.count * unit;
    if (variable.space == Space::param && variable.bytes > largest_parameter) {
        fail("the parameter '" + printable(variable.name) + "' takes more than " + std::to_string(largest_parameter) + " bytes");
    }
}

/// (.param .b32 a, .param .align 8 .b8 b[24], ...), from its opening parenthesis; without `names` they do not count.
std::vector<ast::Variable> Parser::parameters(const char* what, Names* names) {
    std::vector<ast::Variable> all;
    expect("(", what);
    if (accept(")")) return all;
    do {
        if (!at(".param") && !at(".reg")) expected("a parameter (.param or .reg)");
        auto variable = declaration(true);
        auto text = token_.text;
        declarator(variable, true);
        if (variable.initializer) fail("a parameter has no initializer");
        if (names && text == "_") fail("a parameter needs a name here");
        if (names) declare(*names, text, {Names::variable, 0}, variable.line);
        all.push_back(std::move(variable));
    } while (accept(","));
    expect(")", "or ',' after a parameter");
    return all;
}

}  // namespace emu::ptx
