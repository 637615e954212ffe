// Words of PTX text: names, dotted words, numbers, strings and punctuation, cut on demand and never copied.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "ptx/ast.h"

namespace emu::ptx {

struct Token {
    enum Kind : uint8_t {
        end,
        name,     // foo, %r1, $L__BB0_1, _
        dotted,   // .reg, .rn, .shared::cta: the dot belongs to `text`
        integer,  // value, is_unsigned
        real,     // 0f..., 0d..., 1.5: value holds the IEEE double; raw32 and `single` those of 0f
        string,   // text without the quotes
        punctuation,
    } kind = end;
    bool adjacent = false;     // nothing stands between this token and the one before
    bool is_unsigned = false;
    bool single = false;
    uint32_t line = 1;
    uint32_t raw32 = 0;
    uint64_t value = 0;
    std::string_view text;

    bool is(std::string_view punctuation_or_word) const {
        return text == punctuation_or_word && (kind == punctuation || kind == dotted || kind == name);
    }
};

/// The token as a message may show it: short, printable.
std::string describe(const Token& token);

/// Any bytes as printable ASCII of at most about 48 characters.
std::string printable(std::string_view text);

/// Cuts a text that outlives it. Throws PtxError for bytes that begin no token.
class Lexer {
public:
    explicit Lexer(std::string_view text);
    Token next();

private:
    bool skip_blank();  // whether anything was skipped
    void skip_line();
    void lex_number(Token& token);
    void lex_decimal_real(Token& token);
    void lex_string(Token& token);
    void lex_dotted(Token& token);
    char at(size_t ahead = 0) const { return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0'; }

    std::string_view text_;
    size_t position_ = 0;
    uint32_t line_ = 1;
    bool line_start_ = true;     // only blanks so far on this line
    bool after_word_ = false;    // the token before was a name or dotted: a dot and a digit then begin no number
};

}  // namespace emu::ptx
