// Initializers: nested braces of numbers and of symbols' addresses, as bytes and relocations.
#include "ptx/parser.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace emu::ptx {
namespace {

/// The nearest single of a double, without the undefined conversion of what is out of range.
float narrow(double value) {
    constexpr double most = std::numeric_limits<float>::max();
    if (std::isfinite(value) && std::fabs(value) > most) {
        // Half a unit above the largest single still rounds down to it.
        double limit = most + std::ldexp(1.0, 103);
        float bound = std::fabs(value) < limit ? std::numeric_limits<float>::max() : INFINITY;
        return value < 0 ? -bound : bound;
    }
    return static_cast<float>(value);
}

}  // namespace

void Parser::initializer(ast::Variable& variable, std::vector<uint64_t>& sizes) {
    if (variable.space != Space::global && variable.space != Space::constant) {
        fail("only .global and .const variables have initializers");
    }
    if (type_bytes(variable.type) == 0 || variable.type >= Type::texref) {
        unsupported(std::string("initializers of type ") + type_name(variable.type) + " are");
    }
    advance();
    variable.initializer.emplace();
    // A vector is one more dimension, the innermost.
    auto all = sizes;
    if (variable.vector > 1) all.push_back(variable.vector);
    if (!all.empty() && !at("{")) expected("'{' at the beginning of the initializer");
    aggregate(variable, all, 0, 0, variable.count * variable.vector * type_bytes(variable.type));
}

/// What stands at one level of the braces; `bytes`: the size of what this level fills (0: open).
void Parser::aggregate(ast::Variable& variable, const std::vector<uint64_t>& sizes, size_t level, uint64_t at_byte,
                       uint64_t bytes) {
    if (level == sizes.size()) return element(variable, at_byte);
    expect("{", "around the initializer of an array");
    uint64_t stride = type_bytes(variable.type);
    bool open = level == 0 && sizes[0] == 0;
    if (open) {
        for (size_t inner = 1; inner < sizes.size(); ++inner) stride *= sizes[inner];
    } else {
        stride = bytes / sizes[level];
    }
    uint64_t count = 0;
    while (!at("}")) {
        if (!open && count == sizes[level]) {
            fail("more initializers than the " + std::to_string(sizes[level]) + " elements of '" +
                 printable(variable.name) + "'");
        }
        aggregate(variable, sizes, level + 1, at_byte + count * stride, stride);
        ++count;
        if (!accept(",") && !at("}")) expected("',' or '}' after an element of the initializer");
    }
    advance();
    if (open) {
        variable.count = count;
        for (size_t inner = 1; inner < sizes.size(); ++inner) {
            variable.count *= inner + 1 == sizes.size() && variable.vector > 1 ? 1 : sizes[inner];
        }
    }
}

void Parser::element(ast::Variable& variable, uint64_t at_byte) {
    auto line = token_.line;
    auto wrong = [&](const std::string& what) {
        return PtxError(line, what + " cannot initialize an element of type " + type_name(variable.type));
    };
    uint32_t size = type_bytes(variable.type);
    auto value = expression();
    auto& initializer = *variable.initializer;
    // What is written far behind the last element written needs the zeros between: not without bound.
    uint64_t most = (uint64_t{64} << 20) + 16 * uint64_t{text_size_};
    if (at_byte + size > most) {
        throw PtxError(line, "the initializer of '" + printable(variable.name) + "' is too sparse");
    }
    if (initializer.bytes.size() < at_byte + size) initializer.bytes.resize(at_byte + size);

    uint64_t bits = 0;
    Type type = variable.type;
    bool is_float = type == Type::f32 || type == Type::f64;
    if (type == Type::f16 || type == Type::f16x2 || type == Type::bf16 || type == Type::bf16x2 || type == Type::f32x2) {
        throw wrong("a number");
    }
    if (value.kind == Value::integer) {
        if (is_float) throw wrong("an integer");
        bits = value.bits;
    } else if (value.kind == Value::real) {
        if (!is_float && type != Type::b32 && type != Type::b64) throw wrong("a floating-point number");
        if (size == 8) bits = value.bits;
        else if (value.single) bits = value.raw32;
        else bits = std::bit_cast<uint32_t>(narrow(std::bit_cast<double>(value.bits)));
    } else {
        uint32_t bytes = value.mask ? 1 : size;
        if (is_float || (value.mask ? size != 1 : size != 4 && size != 8)) throw wrong("a symbol's address");
        initializer.relocations.push_back(
            {at_byte, bytes, std::string(value.name), value.offset, value.generic, value.mask});
    }
    for (uint32_t i = 0; i < std::min(size, 8u); ++i) {
        initializer.bytes[at_byte + i] = static_cast<uint8_t>(bits >> (8 * i));
    }
    bool negative = value.kind == Value::integer && !value.is_unsigned && static_cast<int64_t>(bits) < 0;
    for (uint32_t i = 8; i < size; ++i) initializer.bytes[at_byte + i] = negative ? 0xFF : 0;
}

}  // namespace emu::ptx
