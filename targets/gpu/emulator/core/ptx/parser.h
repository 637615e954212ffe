// The parser's state and its rules; each group of rules has its own file.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ptx/ast.h"
#include "ptx/lexer.h"

namespace emu::ptx {

/// A constant expression's value, or a symbol's address plus a constant.
struct Value {
    enum Kind : uint8_t { integer, real, symbol } kind = integer;
    uint64_t bits = 0;          // of integer; of real: the IEEE double
    bool is_unsigned = false;
    bool single = false;        // of real: written 0f...
    uint32_t raw32 = 0;
    std::string_view name;      // of symbol
    int64_t offset = 0;
    bool generic = false;
    uint64_t mask = 0;
};

/// The names of one block {...}, so that a second declaration is noticed.
struct Names {
    enum Kind : uint8_t { variable, label, function, alias };
    struct Entry {
        Kind kind;
        uint32_t index;
    };
    std::unordered_map<std::string_view, Entry> entries;
    std::unordered_map<std::string_view, uint32_t> ranges;    // %r<10>: prefix, count
    std::unordered_map<std::string_view, uint32_t> smallest;  // of single names that a range with this prefix would meet
};

class Parser {
public:
    explicit Parser(const std::string& text);
    std::unique_ptr<ast::Module> module();

private:
    // parser.cpp: tokens and the module
    void advance();
    const Token& ahead();
    bool at(std::string_view word) const { return token_.is(word); }
    bool at_name() const { return token_.kind == Token::name && token_.text != "_"; }
    bool accept(std::string_view word);
    void expect(std::string_view word, const char* where);
    [[noreturn]] void expected(const std::string& what) const;
    [[noreturn]] void fail(const std::string& message) const { throw PtxError(token_.line, message); }
    [[noreturn]] void unsupported(const std::string& what) const {
        throw PtxError(token_.line, what + " not supported", true);
    }
    std::string_view name(const char* what);
    std::string string(const char* what);
    void version();
    void target();
    void module_statement();
    void module_variables(struct Linkage linkage);
    void alias();
    struct Linkage linkage();
    void declare(Names& names, std::string_view name, Names::Entry entry, uint32_t line);
    void declare_range(Names& names, std::string_view prefix, uint32_t count, uint32_t line);

    // expressions.cpp
    Value expression() { return conditional(0); }
    Value conditional(int depth);
    Value binary(int level, int depth);
    Value unary(int depth);
    Value primary(int depth);
    uint64_t constant(const char* what, uint64_t most);

    // operands.cpp
    void instruction(ast::Function& function, uint32_t scope);
    ast::Operand operand(bool call, bool nested);
    ast::Operand address();
    ast::Operand word();
    std::vector<ast::Operand> operands_until(std::string_view close, bool nested);

    // variables.cpp
    ast::Variable declaration(bool parameter);
    void declarator(ast::Variable& variable, bool parameter);
    void dimensions(ast::Variable& variable, std::vector<uint64_t>& sizes);
    void attribute();
    uint32_t alignment();
    std::vector<ast::Variable> parameters(const char* what, Names* names);

    // initializers.cpp
    void initializer(ast::Variable& variable, std::vector<uint64_t>& sizes);
    void aggregate(ast::Variable& variable, const std::vector<uint64_t>& sizes, size_t level, uint64_t at_byte,
                   uint64_t bytes);
    void element(ast::Variable& variable, uint64_t at_byte);

    // functions.cpp
    void function(struct Linkage linkage);
    void function_directives(ast::Function& function);
    void triple(uint32_t (&sizes)[3], const char* directive);
    void body(ast::Function& function, Names&& names);
    void statement(ast::Function& function, std::vector<Names>& names, std::vector<uint32_t>& open);
    void local_variables(ast::Function& function, Names& names, uint32_t scope);
    void label(ast::Function& function, Names& names, uint32_t scope);
    void prototype(ast::Function& function, std::string_view label, uint32_t line, uint32_t scope);
    void enter(ast::Function&& function, std::string_view text);

    // debug.cpp
    void file();
    void location();
    void section();

    Lexer lexer_;
    Token token_, ahead_;
    bool has_ahead_ = false;
    size_t text_size_;
    std::unique_ptr<ast::Module> module_;
    Names names_;
    uint32_t file_ = 0, file_line_ = 0;  // of the last .loc
    uint64_t registers_ = 0;
};

struct Linkage {
    bool external = false, visible = false, weak = false, common = false;
    bool any() const { return external || visible || weak || common; }
};

/// A type's name with its dot; none: not a type.
Type type_named(std::string_view text);
const char* type_name(Type type);
/// Bytes that one element takes in memory; 0 for .pred and the opaque types.
uint32_t type_bytes(Type type);
/// .reg, .shared, ...; none: not a space.
Space space_named(std::string_view text);
const char* space_name(Space space);

}  // namespace emu::ptx
