// Instructions: opcode, modifiers and operands, with no knowledge of which instructions there are.
#include "ptx/parser.h"

namespace emu::ptx {
namespace {

using ast::Operand;

/// Special registers whose component is part of the name.
bool is_special_vector(std::string_view name) {
    static constexpr std::string_view specials[] = {
        "%tid", "%ntid", "%ctaid", "%nctaid", "%clusterid", "%nclusterid", "%cluster_ctaid", "%cluster_nctaid",
    };
    for (auto special : specials) {
        if (name == special) return true;
    }
    return false;
}

/// Which component .x, .y, .z, .w or .r, .g, .b, .a is; -1: none.
int component(std::string_view text) {
    if (text.size() != 2) return -1;
    auto at = std::string_view("xyzwrgba").find(text[1]);
    return at == std::string_view::npos ? -1 : static_cast<int>(at % 4);
}

Operand from_value(const Value& value, bool negative) {
    Operand operand;
    switch (value.kind) {
        case Value::integer:
            operand.kind = Operand::integer;
            operand.bits = value.bits;
            operand.is_unsigned = value.is_unsigned;
            operand.negative = negative && static_cast<int64_t>(value.bits) < 0;  // not of - -1
            break;
        case Value::real:
            operand.kind = Operand::real;
            operand.bits = value.bits;
            operand.single = value.single;
            operand.raw32 = value.raw32;
            operand.negative = negative;
            break;
        case Value::symbol:
            operand.kind = Operand::symbol_offset;
            operand.name = value.name;
            operand.offset = value.offset;
            break;
    }
    return operand;
}

}  // namespace

void Parser::instruction(ast::Function& function, uint32_t scope) {
    ast::Instruction instruction;
    instruction.line = token_.line;
    instruction.file = file_;
    instruction.file_line = file_line_;
    instruction.scope = scope;
    if (accept("@")) {
        instruction.guard.negated = accept("!");
        instruction.guard.name = name("the predicate register of a guard");
        instruction.line = token_.line;
    }
    if (!at_name() || token_.text[0] == '%') expected("an instruction");
    instruction.opcode = token_.text;
    advance();
    for (; token_.kind == Token::dotted; advance()) instruction.modifiers.emplace_back(token_.text.substr(1));
    if (!at(";")) {
        bool call = instruction.opcode == "call";
        do instruction.operands.push_back(operand(call, false));
        while (accept(","));
        if (!at(";")) expected("',' or ';' after an operand of '" + printable(instruction.opcode) + "'");
    }
    advance();
    function.code.push_back(std::move(instruction));
}

/// The operands up to a closing bracket, which is taken, too.
std::vector<Operand> Parser::operands_until(std::string_view close, bool nested) {
    std::vector<Operand> elements;
    if (accept(close)) return elements;
    do elements.push_back(operand(false, nested));
    while (accept(","));
    expect(close, "or ',' after an operand");
    return elements;
}

/// One operand; `nested` ones stand inside of braces or parentheses and have none of their own.
Operand Parser::operand(bool call, bool nested) {
    Operand result;
    if (at("[")) {
        if (nested) fail("an address inside of braces or parentheses");
        result = address();
    } else if (at("{")) {
        if (nested) fail("braces inside of braces or parentheses");
        advance();
        result.kind = Operand::vector;
        result.elements = operands_until("}", true);
        if (result.elements.empty()) fail("an operand {} without elements");
    } else if (call && accept("(")) {
        result.kind = Operand::list;
        result.elements = operands_until(")", true);
        return result;
    } else {
        result = word();
    }
    bool first_of_pair = result.kind == Operand::reg || result.kind == Operand::vector ||
                         result.kind == Operand::sink || result.kind == Operand::member;
    if (first_of_pair && !nested && accept("|")) {
        Operand pair;
        pair.kind = Operand::pair;
        pair.elements.push_back(std::move(result));
        pair.elements.push_back(word());
        return pair;
    }
    return result;
}

/// A name, its member, a negated name, a sink or a constant expression.
Operand Parser::word() {
    Operand result;
    if (token_.kind == Token::name) {
        if (token_.text == "_") {
            advance();
            return result;
        }
        auto text = token_.text;
        if (ahead().kind == Token::dotted && ahead().adjacent) {
            advance();
            int which = component(token_.text);
            if (which < 0 && token_.text.size() == 3 && (token_.text[1] == 'b' || token_.text[1] == 'h')) {
                unsupported(describe(token_) + " selects a part of a register: video instructions are");
            }
            if (which < 0) expected("a component (.x .y .z .w or .r .g .b .a)");
            if (is_special_vector(text)) {
                result.kind = Operand::reg;
                result.name = std::string(text) + "." + "xyzw"[which];
            } else {
                result.kind = Operand::member;
                result.name = text;
                result.offset = which;
            }
            advance();
            return result;
        }
        if (text != "WARP_SZ" && !ahead().is("+") && !ahead().is("-") && !ahead().is("(") && !ahead().is("[")) {
            advance();
            result.kind = Operand::reg;
            result.name = text;
            return result;
        }
        if (ahead().is("[")) unsupported("indexing '" + printable(text) + "[...]' (instead of an offset in bytes) is");
    }
    bool negation = at("-") || at("!");
    if (negation && ahead().kind == Token::name && ahead().text != "_" && ahead().text != "WARP_SZ") {
        bool minus = at("-");
        advance();
        result.kind = Operand::negated;
        result.negative = minus;
        result.elements.push_back(word());
        if (result.elements[0].kind != Operand::reg && result.elements[0].kind != Operand::member) {
            fail("only a register can be negated");
        }
        return result;
    }
    if (token_.kind == Token::end || at(";") || at(",") || at(")") || at("}") || at("]")) expected("an operand");
    bool negative = at("-");
    auto line = token_.line;
    auto value = expression();
    if (value.generic || value.mask) throw PtxError(line, "generic() and mask() stand in initializers only");
    return from_value(value, negative);
}

/// [name + offset], [number], [name, {coordinates}]
Operand Parser::address() {
    advance();
    Operand result;
    result.kind = Operand::address;
    auto line = token_.line;
    auto value = expression();
    if (value.kind == Value::real || value.generic || value.mask) {
        throw PtxError(line, "an address is a register, a symbol or an integer, with an offset");
    }
    result.name = value.name;
    result.offset = value.kind == Value::symbol ? value.offset : static_cast<int64_t>(value.bits);
    result.bits = value.kind == Value::symbol ? 0 : value.bits;
    if (accept(",")) {
        do {
            if (accept("{")) {
                for (auto& one : operands_until("}", true)) result.coordinates.push_back(std::move(one));
            } else {
                result.coordinates.push_back(word());
            }
        } while (accept(","));
        if (result.coordinates.empty()) fail("an address with {} but no coordinates");
    }
    expect("]", "at the end of the address");
    return result;
}

}  // namespace emu::ptx
