// What points back to the source: .file, .loc, and the .section of DWARF data, which is checked and dropped.
#include "ptx/parser.h"

namespace emu::ptx {

void Parser::file() {
    advance();
    auto index = static_cast<uint32_t>(constant("the number of a file", UINT32_MAX));
    module_->files.insert_or_assign(index, string("the name of a file"));
    if (!accept(",")) return;
    constant("the time of the file", UINT64_MAX);
    expect(",", "between the time and the size of a file");
    constant("the size of the file", UINT64_MAX);
}

/// .loc file line column [, function_name label[+offset], inlined_at file line column]
void Parser::location() {
    auto place = [&] {
        auto file = static_cast<uint32_t>(constant("the number of a file", UINT32_MAX));
        auto line = static_cast<uint32_t>(constant("a line of the source", UINT32_MAX));
        constant("a column of the source", UINT32_MAX);
        return std::pair(file, line);
    };
    advance();
    auto [file, line] = place();
    file_ = file;
    file_line_ = line;
    if (!accept(",")) return;
    if (!accept("function_name")) expected("'function_name' after the place");
    expression();
    expect(",", "before 'inlined_at'");
    if (!accept("inlined_at")) expected("'inlined_at'");
    place();
}

void Parser::section() {
    advance();
    if (token_.kind != Token::dotted && token_.kind != Token::name) expected("the name of a section");
    advance();
    expect("{", "around the section");
    auto term = [&] {
        accept("-");
        if (token_.kind != Token::integer && token_.kind != Token::name && token_.kind != Token::dotted) {
            expected("a number, a label or a section");
        }
        advance();
    };
    while (!accept("}")) {
        if (token_.kind == Token::name) {
            advance();
            expect(":", "after the label");
        } else if (at(".b8") || at(".b16") || at(".b32") || at(".b64")) {
            advance();
            do {
                term();
                while (accept("+") || accept("-")) term();
            } while (accept(","));
        } else {
            expected("a label, .b8, .b16, .b32, .b64 or '}' in the section");
        }
    }
}

}  // namespace emu::ptx
