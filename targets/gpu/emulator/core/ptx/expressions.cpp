// Constant expressions with C's operators over 64-bit integers, and the address of a symbol plus a constant.
#include "ptx/parser.h"

#include <bit>

namespace emu::ptx {
namespace {

constexpr int deepest = 64;

struct Operator {
    std::string_view text;
    int level;
};

// From the loosest to the tightest.
constexpr Operator operators[] = {
    {"||", 0}, {"&&", 1}, {"|", 2},  {"^", 3},  {"&", 4},  {"==", 5}, {"!=", 5}, {"<", 6}, {">", 6},
    {"<=", 6}, {">=", 6}, {"<<", 7}, {">>", 7}, {"+", 8},  {"-", 8},  {"*", 9},  {"/", 9}, {"%", 9},
};
constexpr int levels = 10;

Value number(uint64_t bits, bool is_unsigned) {
    Value value;
    value.bits = bits;
    value.is_unsigned = is_unsigned;
    return value;
}

Value negate(Value value, uint32_t line) {
    switch (value.kind) {
        case Value::integer:
            value.bits = 0 - value.bits;
            // The least signed number, whose digits alone are an unsigned one's.
            if (value.bits == uint64_t{1} << 63) value.is_unsigned = false;
            break;
        case Value::real:
            value.bits ^= uint64_t{1} << 63;
            value.raw32 ^= value.single ? uint32_t{1} << 31 : 0;
            break;
        case Value::symbol: throw PtxError(line, "the address of '" + printable(value.name) + "' cannot be negated");
    }
    return value;
}

Value combine(std::string_view op, const Value& a, const Value& b, uint32_t line) {
    auto wrong = [&](const std::string& why) -> PtxError {
        return PtxError(line, "operator '" + std::string(op) + "' " + why);
    };
    if (a.kind == Value::real || b.kind == Value::real) throw wrong("is for integers only in constant expressions");
    if (a.kind == Value::symbol || b.kind == Value::symbol) {
        bool plus = op == "+" && (a.kind == Value::integer || b.kind == Value::integer);
        bool minus = op == "-" && b.kind == Value::integer;
        if ((!plus && !minus) || a.mask || b.mask) throw wrong("cannot be applied to a symbol's address");
        Value sum = a.kind == Value::symbol ? a : b;
        uint64_t term = a.kind == Value::symbol ? b.bits : a.bits;
        uint64_t offset = static_cast<uint64_t>(sum.offset);
        sum.offset = static_cast<int64_t>(minus ? offset - term : offset + term);
        return sum;
    }
    uint64_t x = a.bits, y = b.bits;
    auto sx = static_cast<int64_t>(x), sy = static_cast<int64_t>(y);
    bool is_unsigned = a.is_unsigned || b.is_unsigned;
    auto truth = [](bool yes) { return number(yes, false); };
    if (op == "||") return truth(x || y);
    if (op == "&&") return truth(x && y);
    if (op == "|") return number(x | y, is_unsigned);
    if (op == "^") return number(x ^ y, is_unsigned);
    if (op == "&") return number(x & y, is_unsigned);
    if (op == "==") return truth(x == y);
    if (op == "!=") return truth(x != y);
    if (op == "<") return truth(is_unsigned ? x < y : sx < sy);
    if (op == ">") return truth(is_unsigned ? x > y : sx > sy);
    if (op == "<=") return truth(is_unsigned ? x <= y : sx <= sy);
    if (op == ">=") return truth(is_unsigned ? x >= y : sx >= sy);
    if (op == "<<") return number(y < 64 ? x << y : 0, a.is_unsigned);
    if (op == ">>") {
        if (a.is_unsigned) return number(y < 64 ? x >> y : 0, true);
        return number(static_cast<uint64_t>(sx >> (y < 64 ? y : 63)), false);
    }
    if (op == "+") return number(x + y, is_unsigned);
    if (op == "-") return number(x - y, is_unsigned);
    if (op == "*") return number(x * y, is_unsigned);
    if (y == 0) throw wrong("divides by zero");
    if (is_unsigned) return number(op == "/" ? x / y : x % y, true);
    if (sy == -1) return number(op == "/" ? 0 - x : 0, false);  // the least integer has no positive twin
    return number(static_cast<uint64_t>(op == "/" ? sx / sy : sx % sy), false);
}

}  // namespace

Value Parser::conditional(int depth) {
    if (depth > deepest) fail("the expression is nested deeper than " + std::to_string(deepest));
    auto value = binary(0, depth);
    if (!at("?")) return value;
    auto line = token_.line;
    advance();
    if (value.kind != Value::integer) throw PtxError(line, "the condition before '?' is not an integer");
    auto one = conditional(depth + 1);
    expect(":", "between the choices of '?'");
    auto other = conditional(depth + 1);
    return value.bits ? one : other;
}

Value Parser::binary(int level, int depth) {
    if (level == levels) return unary(depth);
    auto value = binary(level + 1, depth);
    for (;;) {
        const Operator* found = nullptr;
        for (auto& op : operators) {
            if (op.level == level && token_.kind == Token::punctuation && token_.text == op.text) found = &op;
        }
        if (!found) return value;
        auto line = token_.line;
        advance();
        value = combine(found->text, value, binary(level + 1, depth), line);
    }
}

Value Parser::unary(int depth) {
    if (depth > deepest) fail("the expression is nested deeper than " + std::to_string(deepest));
    auto line = token_.line;
    if (accept("-")) return negate(unary(depth + 1), line);
    if (accept("+")) return unary(depth + 1);
    if (at("~") || at("!")) {
        bool invert = at("~");
        advance();
        auto value = unary(depth + 1);
        if (value.kind != Value::integer) throw PtxError(line, "'~' and '!' are for integers only");
        return invert ? number(~value.bits, value.is_unsigned) : number(value.bits == 0, false);
    }
    if (at("(") && (ahead().is(".s64") || ahead().is(".u64"))) {
        advance();
        bool is_unsigned = at(".u64");
        advance();
        expect(")", "after the type of a cast");
        auto value = unary(depth + 1);
        if (value.kind != Value::integer) throw PtxError(line, "casts are for integers only");
        return number(value.bits, is_unsigned);
    }
    return primary(depth);
}

Value Parser::primary(int depth) {
    Value value;
    auto line = token_.line;
    if (token_.kind == Token::integer) {
        value.bits = token_.value;
        value.is_unsigned = token_.is_unsigned || token_.value > INT64_MAX;
        advance();
        if (!at("(")) return value;
        // 0xff00(symbol): one byte of its address.
        value.mask = value.bits;
    } else if (token_.kind == Token::real) {
        value.kind = Value::real;
        value.bits = token_.value;
        value.single = token_.single;
        value.raw32 = token_.raw32;
        advance();
        return value;
    } else if (accept("(")) {
        value = conditional(depth + 1);
        expect(")", "at the end of the expression in parentheses");
        return value;
    } else if (at_name()) {
        auto text = token_.text;
        advance();
        if (text == "WARP_SZ") return number(32, false);
        if (text == "generic" && accept("(")) {
            value = conditional(depth + 1);
            if (value.kind != Value::symbol || value.generic || value.mask) {
                throw PtxError(line, "generic(...) is for a symbol");
            }
            value.generic = true;
            expect(")", "after generic(...");
            return value;
        }
        if (text != "mask" || !at("(")) {
            value.kind = Value::symbol;
            value.name = text;
            return value;
        }
        advance();
        value.mask = constant("the mask", UINT64_MAX);
        expect(")", "after the mask");
        if (!at("(")) expected("'(' and a symbol after the mask");
    } else {
        expected("a number, a name or an expression");
    }
    auto mask = value.mask;
    if (mask == 0 || mask != uint64_t{0xFF} << (std::countr_zero(mask) / 8 * 8)) {
        throw PtxError(line, "a mask selects one byte: 0xff, 0xff00, ...");
    }
    advance();
    value = conditional(depth + 1);
    if (value.kind != Value::symbol || value.mask) throw PtxError(line, "a mask is for a symbol's address");
    value.mask = mask;
    expect(")", "after the masked symbol");
    return value;
}

uint64_t Parser::constant(const char* what, uint64_t most) {
    auto line = token_.line;
    auto value = expression();
    if (value.kind != Value::integer) throw PtxError(line, std::string(what) + " is not an integer constant");
    bool below = !value.is_unsigned && static_cast<int64_t>(value.bits) < 0;
    if (below || value.bits > most) {
        auto shown = below ? std::to_string(static_cast<int64_t>(value.bits)) : std::to_string(value.bits);
        throw PtxError(line, std::string(what) + " is " + shown + ", not in 0.." + std::to_string(most));
    }
    return value.bits;
}

}  // namespace emu::ptx
