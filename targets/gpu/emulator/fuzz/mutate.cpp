// The mutations. Most know just enough of PTX to leave a text that still parses: they exchange a word for one of the
// same kind, or whole statements; a few do anything to any byte.
#include "mutate.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace fuzz {
namespace {

enum class Kind { blank, reg, word, dotted, number, other };

struct Piece {
    Kind kind;
    std::string_view text;
};

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Blanks, registers, words, dotted words, numbers, and single characters; all bytes of the line are in one of them.
std::vector<Piece> cut(std::string_view line) {
    std::vector<Piece> pieces;
    for (size_t i = 0; i < line.size();) {
        size_t begin = i++;
        char c = line[begin];
        Kind kind = Kind::other;
        auto take = [&](auto wanted) {
            while (i < line.size() && wanted(line[i])) ++i;
        };
        if (c == ' ' || c == '\t') {
            kind = Kind::blank;
            take([](char b) { return b == ' ' || b == '\t'; });
        } else if (c == '%' || is_word(c)) {
            kind = c == '%' ? Kind::reg : is_digit(c) ? Kind::number : Kind::word;
            take(is_word);
            // %tid.x is one name.
            bool component = kind == Kind::reg && i + 1 < line.size() && line[i] == '.' && line[i + 1] >= 'w' &&
                             line[i + 1] <= 'z' && (i + 2 == line.size() || !is_word(line[i + 2]));
            if (component) i += 2;
        } else if (c == '.' && i < line.size() && is_word(line[i])) {
            kind = Kind::dotted;
            take([](char b) { return is_word(b) || b == ':'; });
        }
        pieces.push_back({kind, line.substr(begin, i - begin)});
    }
    return pieces;
}

std::string glue(const std::vector<Piece>& pieces) {
    std::string line;
    for (auto& piece : pieces) line += piece.text;
    return line;
}

constexpr std::string_view types[] = {
    ".pred", ".b8", ".b16", ".b32", ".b64", ".b128", ".u8", ".u16", ".u32", ".u64", ".s8", ".s16", ".s32", ".s64",
    ".f16", ".f16x2", ".bf16", ".bf16x2", ".f32", ".f64", ".tf32", ".e4m3", ".e5m2", ".e4m3x2", ".e2m1x2",
};
constexpr std::string_view modifiers[] = {
    ".global", ".shared", ".local", ".const", ".param", ".shared::cluster", ".shared::cta", ".v2", ".v4", ".v8", ".sat",
    ".ftz", ".rn", ".rz", ".rm", ".rp", ".rni", ".approx", ".full", ".lo", ".hi", ".wide", ".cc", ".uni", ".sync",
    ".aligned", ".relaxed", ".acquire", ".release", ".acq_rel", ".gpu", ".cta", ".sys", ".cluster", ".volatile",
    ".weak", ".nc", ".ca", ".cg", ".add", ".min", ".max", ".exch", ".cas", ".and", ".or", ".xor", ".inc", ".dec",
    ".up", ".down", ".bfly", ".idx", ".all", ".any", ".ballot", ".eq", ".ne", ".lt", ".le", ".gt", ".ge", ".ltu",
    ".nan", ".num", ".row", ".col", ".trans", ".x1", ".x2", ".x4", ".m16n8k16", ".m16n8k8", ".m16n16k16", ".m64n8k16",
    ".m64n128k16", ".1d", ".2d", ".3d", ".tile", ".im2col", ".noinc", ".parity", ".arrive", ".wait", ".red", ".popc",
    ".clamp", ".wrap", ".to", ".noftz", ".relu", ".satfinite", ".bulk", ".tensor", ".async", ".mbarrier", ".L2::128B",
    ".multicast::cluster", ".expect_tx", ".shiftamt", ".f4e", ".b4e", ".rc8", ".bulk_group", ".read", ".multimem",
};
constexpr std::string_view numbers[] = {
    "0", "1", "-1", "2", "3", "4", "7", "8", "15", "16", "17", "31", "32", "33", "63", "64", "65", "127", "128", "255",
    "256", "1023", "1024", "4095", "65535", "65536", "16777215", "2147483647", "-2147483648", "2147483648",
    "4294967295", "4294967296", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "0x0", "0xff",
    "0x80000000", "0xffffffff", "0x7fffffffffffffff", "0x989680", "0f00000000", "0f3F800000", "0f7F800000",
    "0fFF800000", "0f7FC00000", "0f80000000", "0f00000001", "0f7F7FFFFF", "0f4F000000", "0d7FF0000000000000",
    "0d3FF0000000000000", "0d7FF8000000000001", "0dC1E0000000000001", "0d43F0000000000000", "-4", "-8", "12", "99999",
};
constexpr std::string_view opcodes[] = {
    "add", "sub", "mul", "mad", "div", "rem", "min", "max", "abs", "neg", "and", "or", "xor", "not", "shl", "shr",
    "mov", "cvt", "setp", "selp", "set", "slct", "fma", "rcp", "sqrt", "rsqrt", "sin", "cos", "ex2", "lg2", "tanh",
    "ld", "st", "atom", "red", "bfe", "bfi", "bfind", "popc", "clz", "brev", "prmt", "lop3", "shf", "dp4a", "dp2a",
    "addc", "subc", "madc", "sad", "mul24", "mad24", "copysign", "testp", "fns", "bmsk", "szext", "bra", "call", "ret",
    "exit", "trap", "bar", "barrier", "membar", "fence", "shfl", "vote", "match", "redux", "activemask", "elect", "cp",
    "mbarrier", "ldmatrix", "stmatrix", "mma", "wmma", "wgmma", "isspacep", "cvta", "prefetch", "nanosleep",
    "setmaxnreg", "griddepcontrol", "mapa", "getctarank", "brx", "tensormap", "alloca", "stacksave", "stackrestore",
    "ldu", "applypriority", "cnot", "discard", "createpolicy", "movmatrix", "pmevent", "brkpt", "multimem", "tex",
    "vadd", "tcgen05", "clusterlaunchcontrol",
};
constexpr std::string_view statements[] = {
    "bar.sync 0;", "bar.sync 1, 64;", "bar.arrive 1, 64;", "barrier.cluster.arrive;", "barrier.cluster.wait;", "ret;",
    "exit;", "trap;", "membar.gl;", "fence.proxy.async;", "bar.warp.sync 0xffffffff;", "bar.warp.sync 1;", "{", "}",
    ".reg .b32 %zz<4>;", ".shared .align 8 .b8 zzs[64];", ".local .align 16 .b8 zzl[64];", "nanosleep.u32 100;",
    "cp.async.commit_group;", "cp.async.wait_group 0;", "wgmma.fence.sync.aligned;",
    "wgmma.commit_group.sync.aligned;", "wgmma.wait_group.sync.aligned 0;", "setmaxnreg.inc.sync.aligned.u32 64;",
    "griddepcontrol.wait;", "$zz:", "bra $zz;", "@%p1 bra $zz;", "@!%p1 ret;", "@%p2 bar.sync 0;", "@%p1 exit;",
    "bra.uni $zz;", "cp.async.bulk.commit_group;", "cp.async.bulk.wait_group.read 0;",
};

class Mutator {
public:
    Mutator(const std::vector<Sample>& corpus, Random& random) : corpus_(corpus), random_(random) {
        auto& sample = corpus[random.below(corpus.size())];
        split(sample.text, lines_);
        for (auto& line : lines_) {
            if (line.find(".reg ") != std::string::npos) declare(line);
        }
    }

    std::string run() {
        // Most mutants differ in one or two places, so that they still are kernels; a few in many.
        size_t count = random_.one_in(16) ? 12 : 1 + random_.below(2);
        for (size_t i = 0; i < count && !lines_.empty(); ++i) once();
        std::string text;
        for (auto& line : lines_) text += line + "\n";
        if (random_.one_in(20)) bytes(text);
        return text;
    }

private:
    static void split(std::string_view text, std::vector<std::string>& lines) {
        while (!text.empty()) {
            auto end = text.find('\n');
            lines.emplace_back(text.substr(0, end));
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        }
    }

    /// Takes down the registers of a declaration: `.reg .b32 %r<10>, %x;`.
    void declare(const std::string& line) {
        auto pieces = cut(line);
        std::string type;
        for (size_t i = 0; i < pieces.size(); ++i) {
            if (pieces[i].kind == Kind::dotted) type = pieces[i].text;
            if (pieces[i].kind != Kind::reg && pieces[i].kind != Kind::word) continue;
            std::string name(pieces[i].text);
            bool range = i + 2 < pieces.size() && pieces[i + 1].text == "<" && pieces[i + 2].text.size() < 7;
            size_t count = range ? static_cast<size_t>(std::atoi(std::string(pieces[i + 2].text).c_str())) : 0;
            if (!range) registers_.emplace_back(name, type);
            for (size_t n = 0; n < std::min<size_t>(count, 40); ++n) {
                registers_.emplace_back(name + std::to_string(n), type);
            }
        }
    }

    /// Another register of the same type; empty if there is none.
    std::string sibling(std::string_view old) {
        auto known = std::find_if(registers_.begin(), registers_.end(), [&](auto& one) { return one.first == old; });
        for (int tries = 0; tries < 40 && known != registers_.end(); ++tries) {
            auto& other = registers_[random_.below(registers_.size())];
            if (other.second == known->second && other.first != old) return other.first;
        }
        return {};
    }

    /// The place of a line: an instruction, nearly always, and not a header, a declaration or a brace.
    size_t any_place() {
        size_t place = random_.below(lines_.size());
        for (int tries = 0; tries < 16 && !is_code(lines_[place]) && !random_.one_in(64); ++tries) {
            place = random_.below(lines_.size());
        }
        return place;
    }
    std::string& any_line() { return lines_[any_place()]; }

    static bool is_code(const std::string& line) {
        auto begin = line.find_first_not_of(" \t");
        return begin != std::string::npos && line[begin] != '.' && line[begin] != '{' &&
               line.find(';') != std::string::npos;
    }

    void once() {
        switch (random_.below(16)) {
            case 0: case 1: case 2: case 3: return exchange(any_line(), Kind::reg);
            case 4: case 5: return exchange(any_line(), Kind::number);
            case 6: case 7: return exchange(any_line(), Kind::dotted);
            case 8: return exchange(any_line(), Kind::word);
            case 9: return borrowed_line();
            case 10: return move_line();
            case 11: return guard(any_line());
            case 12: return shuffle(any_line());
            case 13: return insert_statement();
            case 14: return type_everywhere(any_line());
            default: return splice();
        }
    }

    /// Exchanges one piece of a kind for another of the same kind.
    void exchange(std::string& line, Kind kind) {
        auto pieces = cut(line);
        std::vector<size_t> places;
        for (size_t i = 0; i < pieces.size(); ++i) {
            if (pieces[i].kind == kind) places.push_back(i);
        }
        if (places.empty()) return;
        size_t at = places[random_.below(places.size())];
        std::string fresh;
        std::string_view old = pieces[at].text;
        switch (kind) {
            case Kind::reg: fresh = other_register(old, at == places[0]); break;
            case Kind::number: fresh = other_number(old); break;
            case Kind::dotted: fresh = other_modifier(old); break;
            default:
                fresh = random_.one_in(2) ? std::string(random_.pick(opcodes)) : other_piece(kind);
                break;
        }
        pieces[at].text = fresh;
        line = glue(pieces);
    }

    std::string other_register(std::string_view old, bool written) {
        // Nearly always one of the same type.
        auto fresh = sibling(old);
        if (!fresh.empty() && !random_.one_in(8)) return fresh;
        if (written && !random_.one_in(8)) return other_piece(Kind::reg);
        static constexpr std::string_view specials[] = {
            "%tid.x", "%ntid.x", "%ctaid.x", "%nctaid.y", "%laneid", "%warpid", "%clock64", "%clock", "%lanemask_lt",
            "%smid", "%globaltimer", "%cluster_ctarank", "%dynamic_smem_size", "%envreg1", "%r1", "%rd1",
            "%p1", "%f1", "_",
        };
        return random_.one_in(2) ? std::string(random_.pick(specials)) : other_piece(Kind::reg);
    }

    std::string other_number(std::string_view old) {
        switch (random_.below(4)) {
            case 0: return other_piece(Kind::number);
            case 1: {
                std::string changed(old);
                changed[random_.below(changed.size())] = "0123456789abcdefU"[random_.below(17)];
                return changed;
            }
            default: return std::string(random_.pick(numbers));
        }
    }

    std::string other_modifier(std::string_view old) {
        auto place = std::find(std::begin(types), std::end(types), old);
        if (place != std::end(types) && !random_.one_in(6)) {
            // Half of the time one of the same width: .u32 for .s32.
            for (int tries = 0; tries < 12; ++tries) {
                auto fresh = random_.pick(types);
                if (fresh.substr(2) == old.substr(2) && fresh != old) return std::string(fresh);
                if (random_.one_in(12)) break;
            }
            return std::string(random_.pick(types));
        }
        return random_.one_in(4) ? other_piece(Kind::dotted) : std::string(random_.pick(modifiers));
    }

    /// A piece of this kind out of some line of the text.
    std::string other_piece(Kind kind) {
        for (int tries = 0; tries < 20; ++tries) {
            auto pieces = cut(lines_[random_.below(lines_.size())]);
            std::vector<Piece> fit;
            std::copy_if(pieces.begin(), pieces.end(), std::back_inserter(fit),
                         [&](auto& p) { return p.kind == kind; });
            if (!fit.empty()) return std::string(fit[random_.below(fit.size())].text);
        }
        return "_";
    }

    /// A type, everywhere in its line: the instruction often stays legal.
    void type_everywhere(std::string& line) {
        auto pieces = cut(line);
        std::string_view old;
        for (auto& piece : pieces) {
            if (std::find(std::begin(types), std::end(types), piece.text) != std::end(types)) old = piece.text;
        }
        auto fresh = random_.pick(types);
        for (auto& piece : pieces) {
            if (piece.text == old) piece.text = fresh;
        }
        line = glue(pieces);
    }

    /// Deletes, doubles or exchanges pieces of a line.
    void shuffle(std::string& line) {
        auto pieces = cut(line);
        if (pieces.empty()) return;
        size_t at = random_.below(pieces.size()), other = random_.below(pieces.size());
        switch (random_.below(3)) {
            case 0: pieces.erase(pieces.begin() + static_cast<ptrdiff_t>(at)); break;
            case 1: {
                auto piece = pieces[at];
                pieces.insert(pieces.begin() + static_cast<ptrdiff_t>(other), piece);
                break;
            }
            default: std::swap(pieces[at], pieces[other]); break;
        }
        line = glue(pieces);
    }

    /// A predicate register of the text; empty if there is none.
    std::string some_predicate() {
        std::vector<std::string> all;
        for (auto& [name, type] : registers_) {
            if (type == ".pred") all.push_back(name);
        }
        return all.empty() ? std::string() : all[random_.below(all.size())];
    }

    /// Puts a guard before an instruction, turns it, or takes it away.
    void guard(std::string& line) {
        auto at = line.find('@');
        if (at == std::string::npos) {
            auto begin = line.find_first_not_of(" \t");
            auto predicate = some_predicate();
            if (!is_code(line) || predicate.empty()) return;
            line.insert(begin, (random_.one_in(2) ? "@" : "@!") + predicate + " ");
        } else if (random_.one_in(2)) {
            auto end = line.find_first_of(" \t", at);
            if (end != std::string::npos) line.erase(at, end - at);
        } else if (line.compare(at, 2, "@!") == 0) {
            line.erase(at + 1, 1);
        } else {
            line.insert(at + 1, "!");
        }
    }

    void move_line() {
        size_t from = any_place();
        auto line = lines_[from];
        switch (random_.below(3)) {
            case 0: lines_.erase(lines_.begin() + static_cast<ptrdiff_t>(from)); break;
            case 1: lines_.insert(lines_.begin() + static_cast<ptrdiff_t>(from), line); break;
            default: std::swap(lines_[from], any_line()); break;
        }
    }

    void insert_statement() {
        lines_.insert(lines_.begin() + static_cast<ptrdiff_t>(any_place()), std::string(random_.pick(statements)));
    }

    /// A statement of any file of the corpus, at any place.
    void borrowed_line() {
        std::vector<std::string> other;
        split(corpus_[random_.below(corpus_.size())].text, other);
        if (other.empty()) return;
        auto line = other[random_.below(other.size())];
        for (int tries = 0; tries < 6 && line.find(';') == std::string::npos; ++tries) {
            line = other[random_.below(other.size())];
        }
        if (!is_code(line) && !random_.one_in(8)) return;
        lines_.insert(lines_.begin() + static_cast<ptrdiff_t>(any_place()), line);
    }

    /// A run of lines of any file in the place of a run of ours.
    void splice() {
        if (!random_.one_in(2)) return exchange(any_line(), Kind::reg);
        std::vector<std::string> other;
        split(corpus_[random_.below(corpus_.size())].text, other);
        if (other.empty()) return;
        size_t first = random_.below(other.size()), count = std::min(other.size() - first, 1 + random_.below(8));
        size_t at = random_.below(lines_.size()), gone = std::min(lines_.size() - at, random_.below(8));
        auto place = lines_.erase(lines_.begin() + static_cast<ptrdiff_t>(at),
                                  lines_.begin() + static_cast<ptrdiff_t>(at + gone));
        lines_.insert(place, other.begin() + static_cast<ptrdiff_t>(first),
                      other.begin() + static_cast<ptrdiff_t>(first + count));
    }

    /// Anything to any byte.
    void bytes(std::string& text) {
        for (size_t i = 0, n = 1 + random_.below(4); i < n && !text.empty(); ++i) {
            size_t at = random_.below(text.size());
            switch (random_.below(5)) {
                case 0: text[at] = static_cast<char>(random_.next()); break;
                case 1: text[at] = static_cast<char>(text[at] ^ (1 << random_.below(8))); break;
                case 2: text.erase(at, 1 + random_.below(8)); break;
                case 3: text.insert(at, 1 + random_.below(80), "{}[]()<,;@-0.%_!"[random_.below(16)]); break;
                default: text.resize(at); break;
            }
        }
    }

    const std::vector<Sample>& corpus_;
    Random& random_;
    std::vector<std::string> lines_;
    std::vector<std::pair<std::string, std::string>> registers_;  // name, type
};

}  // namespace

std::string mutate(const std::vector<Sample>& corpus, Random& random) { return Mutator(corpus, random).run(); }

}  // namespace fuzz
