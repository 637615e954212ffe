// The parser's tokens, and the statements of a module's top level.
#include "ptx/parser.h"

#include <algorithm>

namespace emu {

std::unique_ptr<ast::Module> parse(const std::string& text) { return ptx::Parser(text).module(); }

namespace ptx {

Parser::Parser(const std::string& text) : lexer_(text), text_size_(text.size()) {}

void Parser::advance() {
    if (has_ahead_) {
        token_ = ahead_;
        has_ahead_ = false;
    } else {
        token_ = lexer_.next();
    }
}

const Token& Parser::ahead() {
    if (!has_ahead_) ahead_ = lexer_.next();
    has_ahead_ = true;
    return ahead_;
}

bool Parser::accept(std::string_view word) {
    if (!at(word)) return false;
    advance();
    return true;
}

void Parser::expected(const std::string& what) const { fail("expected " + what + ", found " + describe(token_)); }

void Parser::expect(std::string_view word, const char* where) {
    if (!accept(word)) expected("'" + std::string(word) + "' " + where);
}

std::string_view Parser::name(const char* what) {
    if (!at_name()) expected(what);
    auto text = token_.text;
    advance();
    return text;
}

std::string Parser::string(const char* what) {
    if (token_.kind != Token::string) expected(what);
    std::string text(token_.text);
    advance();
    return text;
}

std::unique_ptr<ast::Module> Parser::module() {
    module_ = std::make_unique<ast::Module>();
    advance();
    if (!at(".version")) expected("'.version' at the beginning of the module");
    version();
    if (!at(".target")) expected("'.target' after '.version'");
    target();
    if (accept(".address_size")) {
        uint64_t size = constant("the size of an address", UINT64_MAX);
        if (size != 64) unsupported(".address_size " + std::to_string(size) + " is");
    }
    while (token_.kind != Token::end) module_statement();
    return std::move(module_);
}

void Parser::version() {
    advance();
    if (token_.kind != Token::real || token_.single) expected("a version such as 8.5");
    uint32_t part[2] = {0, 0};
    int which = 0;
    for (char c : token_.text) {
        if (c == '.' && which == 0) {
            which = 1;
        } else if (c >= '0' && c <= '9' && part[which] < 1000) {
            part[which] = part[which] * 10 + static_cast<uint32_t>(c - '0');
        } else {
            expected("a version such as 8.5");
        }
    }
    if (part[0] < 7 || part[0] > 9 || part[1] > (part[0] == 9 ? 4 : 8)) {  // 7.8 and 8.8 were the last of theirs
        fail("PTX version " + printable(token_.text) + " is not supported, only 7.0 to 9.4");
    }
    module_->version_major = part[0];
    module_->version_minor = part[1];
    advance();
}

void Parser::target() {
    advance();
    auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    auto line = token_.line;
    auto architecture = name("a target such as sm_90a");
    auto rest = architecture.substr(std::min<size_t>(3, architecture.size()));
    if (!rest.empty() && (rest.back() == 'a' || rest.back() == 'f')) rest.remove_suffix(1);
    if (!architecture.starts_with("sm_") || rest.size() < 2 || rest.size() > 4 ||
        !std::all_of(rest.begin(), rest.end(), is_digit)) {
        throw PtxError(line, "'" + printable(architecture) + "' is not a target such as sm_90a");
    }
    module_->target = architecture;
    while (accept(",")) {
        static constexpr std::string_view options[] = {"debug", "texmode_unified", "texmode_independent",
                                                       "map_f64_to_f32"};
        if (std::find(std::begin(options), std::end(options), token_.text) == std::end(options)) {
            expected("an option of .target (debug, texmode_unified, texmode_independent, map_f64_to_f32)");
        }
        module_->target_options.emplace_back(name("an option of .target"));
    }
}

Linkage Parser::linkage() {
    Linkage linkage;
    auto once = [&](bool& flag) {
        if (flag) fail(describe(token_) + " stands twice");
        flag = true;
        advance();
    };
    for (;;) {
        if (at(".extern")) once(linkage.external);
        else if (at(".visible")) once(linkage.visible);
        else if (at(".weak")) once(linkage.weak);
        else if (at(".common")) once(linkage.common);
        else break;
    }
    if (linkage.external + linkage.visible + linkage.weak + linkage.common > 1) {
        fail("only one of .extern, .visible, .weak and .common may stand before " + describe(token_));
    }
    return linkage;
}

void Parser::module_statement() {
    auto linkage = this->linkage();
    if (at(".entry") || at(".func")) return function(linkage);
    Space space = token_.kind == Token::dotted ? space_named(token_.text) : Space::none;
    if (space == Space::global || space == Space::constant || space == Space::shared) return module_variables(linkage);
    if (linkage.any()) expected("a function or a variable after its linkage");
    if (at(".file")) return file();
    if (at(".section")) return section();
    if (at(".alias")) return alias();
    if (accept(".pragma")) {
        do module_->pragmas.push_back(string("a string after .pragma"));
        while (accept(","));
        expect(";", "after .pragma");
        return;
    }
    if (space == Space::reg || space == Space::local || space == Space::param) {
        fail(describe(token_) + " variables stand inside of functions only");
    }
    if (at(".tex") || at(".surf") || at(".sampler")) {
        unsupported(describe(token_) + " variables (textures, surfaces) are");
    }
    if (at(".version") || at(".target") || at(".address_size")) {
        fail(describe(token_) + " stands once, at the beginning of the module");
    }
    expected("a directive of the module (.entry, .func, .global, .const, .shared, .file, .section, .alias, .pragma)");
}

void Parser::module_variables(Linkage linkage) {
    auto pattern = declaration(false);
    pattern.external = linkage.external;
    pattern.visible = linkage.visible;
    pattern.weak = linkage.weak;
    pattern.common = linkage.common;
    do {
        auto variable = pattern;
        auto line = token_.line;
        auto text = token_.text;  // the declarator begins with it
        declarator(variable, false);
        if (variable.external && variable.initializer) throw PtxError(line, "an .extern variable has no initializer");
        auto known = names_.entries.find(text);
        if (known != names_.entries.end() && known->second.kind == Names::variable) {
            // A declaration may stand before its definition, and as often as one likes.
            auto& other = module_->variables[known->second.index];
            bool same = other.space == variable.space && other.type == variable.type &&
                        other.vector == variable.vector && other.array == variable.array &&
                        (other.count == variable.count || other.count == 0 || variable.count == 0);
            if ((other.external || variable.external) && same) {
                if (!variable.external || other.count == 0) {
                    variable.align = std::max(variable.align, other.align);
                    variable.external = variable.external && other.external;
                    other = std::move(variable);
                }
                continue;
            }
        }
        declare(names_, text, {Names::variable, static_cast<uint32_t>(module_->variables.size())}, line);
        module_->variables.push_back(std::move(variable));
    } while (accept(","));
    expect(";", "after the declaration");
}

void Parser::alias() {
    advance();
    auto line = token_.line;
    auto one = name("a function's name after .alias");
    expect(",", "between the names of .alias");
    auto other = name("the name of the function that is meant");
    expect(";", "after .alias");
    for (auto function : {one, other}) {
        auto known = names_.entries.find(function);
        if (known == names_.entries.end() || known->second.kind != Names::function) {
            throw PtxError(line, ".alias of '" + printable(function) + "', which is no function declared before");
        }
        if (module_->functions[known->second.index].entry) {
            throw PtxError(line, ".alias of the kernel '" + printable(function) + "': only .func may have one");
        }
    }
    module_->aliases.emplace_back(one, other);
}

namespace {

/// Calls `visit(prefix, number)` for each way to read a name as a prefix and a number below 2^20.
template <typename Visit>
void for_each_split(std::string_view name, Visit visit) {
    uint64_t number = 0, scale = 1;
    for (size_t i = name.size(); i-- > 1 && name[i] >= '0' && name[i] <= '9' && scale <= (1 << 20); scale *= 10) {
        number += static_cast<uint64_t>(name[i] - '0') * scale;
        bool plain = name[i] != '0' || i + 1 == name.size();
        if (plain && number < (1 << 20)) visit(name.substr(0, i), static_cast<uint32_t>(number));
    }
}

}  // namespace

void Parser::declare(Names& names, std::string_view name, Names::Entry entry, uint32_t line) {
    bool taken = !names.entries.emplace(name, entry).second;
    for_each_split(name, [&](std::string_view prefix, uint32_t number) {
        auto range = names.ranges.find(prefix);
        taken = taken || (range != names.ranges.end() && number < range->second);
        auto [known, fresh] = names.smallest.emplace(prefix, number);
        if (!fresh) known->second = std::min(known->second, number);
    });
    if (taken) throw PtxError(line, "'" + printable(name) + "' is declared a second time");
}

void Parser::declare_range(Names& names, std::string_view prefix, uint32_t count, uint32_t line) {
    bool taken = !names.ranges.emplace(prefix, count).second;
    auto known = names.smallest.find(prefix);
    taken = taken || (known != names.smallest.end() && known->second < count);
    // %r1<3> meets %r<20> if its first, %r10, does.
    for_each_split(prefix, [&](std::string_view shorter, uint32_t number) {
        if (number == 0) return;
        auto range = names.ranges.find(shorter);
        uint64_t first = uint64_t{number} * 10;
        taken = taken || (range != names.ranges.end() && first < range->second);
        auto [other, fresh] = names.smallest.emplace(shorter, static_cast<uint32_t>(first));
        if (!fresh) other->second = std::min(other->second, static_cast<uint32_t>(first));
    });
    if (taken) throw PtxError(line, "'" + printable(prefix) + "<...>' declares registers a second time");
}

}  // namespace ptx
}  // namespace emu
