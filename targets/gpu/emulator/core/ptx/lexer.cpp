// Cuts PTX text into tokens; comments, line markers and old-style DWARF lines vanish here.
#include "ptx/lexer.h"

#include <bit>
#include <charconv>

namespace emu::ptx {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '$'; }

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Whether bytes are UTF-8, as whoever shows a file's name expects.
bool is_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        auto byte = static_cast<unsigned char>(text[i++]);
        if (byte < 0x80) continue;
        int more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
        if (byte < 0xC2 || byte > 0xF4) return false;
        uint32_t code = byte & (0x3Fu >> more);
        for (int k = 0; k < more; ++k, ++i) {
            if (i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return false;
            code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
        }
        if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000)) return false;
        if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    }
    return true;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    for (char c : text.substr(0, 48)) out += c >= 0x20 && c < 0x7F ? c : '?';
    if (text.size() > 48) out += "...";
    return out;
}

std::string describe(const Token& token) {
    switch (token.kind) {
        case Token::end: return "the end of the text";
        case Token::string: return "the string \"" + printable(token.text) + "\"";
        default: return "'" + printable(token.text) + "'";
    }
}

Lexer::Lexer(std::string_view text) : text_(text) {
    // A C string's terminator is often counted into its size.
    while (!text_.empty() && text_.back() == '\0') text_.remove_suffix(1);
}

void Lexer::skip_line() {
    while (position_ < text_.size() && text_[position_] != '\n') ++position_;
}

bool Lexer::skip_blank() {
    size_t before = position_;
    while (position_ < text_.size()) {
        char c = at();
        if (c == '\n') {
            ++line_;
            ++position_;
            line_start_ = true;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            ++position_;
        } else if (c == '/' && at(1) == '/') {
            skip_line();
        } else if (c == '/' && at(1) == '*') {
            uint32_t begin = line_;
            size_t close = text_.find("*/", position_ + 2);
            if (close == std::string_view::npos) throw PtxError(begin, "the comment that begins here has no '*/'");
            for (; position_ < close; ++position_) line_ += text_[position_] == '\n';
            position_ += 2;
        } else if (c == '#' && line_start_) {
            skip_line();
        } else if (c == '@' && text_.substr(position_, 7) == "@@DWARF") {
            skip_line();
        } else {
            break;
        }
    }
    return position_ != before;
}

void Lexer::lex_decimal_real(Token& token) {
    double value = 0;
    const char* begin = text_.data() + position_;
    auto [stop, error] = std::from_chars(begin, text_.data() + text_.size(), value, std::chars_format::general);
    if (error != std::errc()) throw PtxError(line_, "the number is outside the range of .f64");
    position_ += static_cast<size_t>(stop - begin);
    token.kind = Token::real;
    token.value = std::bit_cast<uint64_t>(value);
}

void Lexer::lex_number(Token& token) {
    char kind = at(1);
    size_t begin = position_;
    if (at() == '0' && (kind == 'f' || kind == 'F' || kind == 'd' || kind == 'D')) {
        size_t digits = kind == 'f' || kind == 'F' ? 8 : 16;
        uint64_t value = 0;
        for (size_t i = 0; i < digits; ++i) {
            int digit = hex_digit(at(2 + i));
            if (digit < 0) {
                throw PtxError(line_, "a literal 0" + std::string(1, kind) + " needs " + std::to_string(digits) +
                                          " hexadecimal digits, found " + std::to_string(i));
            }
            value = value << 4 | static_cast<uint64_t>(digit);
        }
        position_ += 2 + digits;
        token.kind = Token::real;
        token.value = value;
        if (digits == 8) {
            token.single = true;
            token.raw32 = static_cast<uint32_t>(value);
            token.value = std::bit_cast<uint64_t>(static_cast<double>(std::bit_cast<float>(token.raw32)));
        }
    } else {
        uint64_t base = 10;
        if (at() == '0' && (kind == 'x' || kind == 'X')) {
            base = 16;
            position_ += 2;
        } else if (at() == '0' && (kind == 'b' || kind == 'B')) {
            base = 2;
            position_ += 2;
        } else {
            size_t stop = 0;
            while (is_digit(at(stop))) ++stop;
            char after = at(stop), sign = at(stop + 1);
            bool exponent = (after == 'e' || after == 'E') &&
                            (is_digit(sign) || ((sign == '+' || sign == '-') && is_digit(at(stop + 2))));
            if (after == '.' || exponent) {
                lex_decimal_real(token);
                return;
            }
            if (at() == '0' && stop > 1) base = 8;
        }
        uint64_t value = 0;
        size_t count = 0;
        for (;; ++position_, ++count) {
            int digit = hex_digit(at());
            if (digit < 0 || static_cast<uint64_t>(digit) >= base) break;
            if (value > (UINT64_MAX - static_cast<uint64_t>(digit)) / base) {
                throw PtxError(line_, "the number does not fit in 64 bits");
            }
            value = value * base + static_cast<uint64_t>(digit);
        }
        if (count == 0) throw PtxError(line_, "a number without digits");
        if (at() == 'U') {
            token.is_unsigned = true;
            ++position_;
        }
        token.kind = Token::integer;
        token.value = value;
    }
    if (is_word(at())) {
        while (is_word(at())) ++position_;
        throw PtxError(line_, "'" + printable(text_.substr(begin, position_ - begin)) + "' is not a number");
    }
}

void Lexer::lex_string(Token& token) {
    size_t begin = ++position_;
    while (at() != '"') {
        if (at() == '\n' || position_ >= text_.size()) throw PtxError(line_, "the string has no closing quote");
        position_ += at() == '\\' && at(1) == '"' ? 2 : 1;
    }
    token.kind = Token::string;
    token.text = text_.substr(begin, position_ - begin);
    if (!is_utf8(token.text)) throw PtxError(line_, "the string is not UTF-8");
    ++position_;
}

void Lexer::lex_dotted(Token& token) {
    size_t begin = position_++;
    for (;;) {
        while (is_word(at())) ++position_;
        if (at() != ':' || at(1) != ':' || !is_word(at(2))) break;
        position_ += 2;
    }
    if (position_ == begin + 1) throw PtxError(line_, "a dot without a word after it");
    token.kind = Token::dotted;
    token.text = text_.substr(begin, position_ - begin);
}

Token Lexer::next() {
    Token token;
    token.adjacent = !skip_blank();
    token.line = line_;
    line_start_ = false;
    if (position_ >= text_.size()) return token;
    char c = at();
    size_t begin = position_;
    bool after_word = after_word_ && token.adjacent;
    after_word_ = false;
    if (is_letter(c) || c == '_' || c == '$' || (c == '%' && is_word(at(1)) && !is_digit(at(1)))) {
        ++position_;
        while (is_word(at())) ++position_;
        token.kind = Token::name;
        token.text = text_.substr(begin, position_ - begin);
        after_word_ = true;
    } else if (c == '.' && is_digit(at(1)) && !after_word) {
        lex_decimal_real(token);
        token.text = text_.substr(begin, position_ - begin);
    } else if (c == '.') {
        lex_dotted(token);
        after_word_ = true;
    } else if (is_digit(c)) {
        lex_number(token);
        token.text = text_.substr(begin, position_ - begin);
    } else if (c == '"') {
        lex_string(token);
    } else {
        static constexpr std::string_view pairs[] = {"<<", ">>", "<=", ">=", "==", "!=", "&&", "||"};
        static constexpr std::string_view singles = "{}[]()<>,;:=+-*/%&|^~!?@";
        token.kind = Token::punctuation;
        for (auto pair : pairs) {
            if (text_.substr(position_, 2) == pair) {
                token.text = text_.substr(position_, 2);
                position_ += 2;
                return token;
            }
        }
        if (singles.find(c) == std::string_view::npos) {
            if (c > 0x20 && c < 0x7F) throw PtxError(line_, std::string("the character '") + c + "' is not of PTX");
            throw PtxError(line_, "the byte " + std::to_string(static_cast<unsigned char>(c)) + " is not of PTX");
        }
        token.text = text_.substr(position_++, 1);
    }
    return token;
}

}  // namespace emu::ptx
