// Functions and kernels: headers, directives, bodies with their blocks, labels and prototypes.
#include "ptx/parser.h"

#include <algorithm>

namespace emu::ptx {
namespace {

constexpr size_t deepest_block = 64;
constexpr uint64_t largest_parameters = 32764;  // of a kernel, bytes, since PTX 8.1

bool same_shape(const std::vector<ast::Variable>& one, const std::vector<ast::Variable>& other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](auto& a, auto& b) {
        return a.space == b.space && type_bytes(a.type) == type_bytes(b.type) && a.array == b.array &&
               a.vector == b.vector && a.count == b.count;
    });
}

}  // namespace

void Parser::function(Linkage linkage) {
    ast::Function function;
    function.entry = at(".entry");
    function.visible = linkage.visible;
    function.external = linkage.external;
    function.weak = linkage.weak;
    if (linkage.common) fail(".common is for variables, not for functions");
    advance();
    function.scopes.emplace_back();
    if (at(".attribute")) attribute();
    if (accept(".noreturn")) function.noreturn = true;
    Names names;
    if (!function.entry && at("(")) function.results = parameters("before the results", &names);
    auto text = token_.text;
    function.line = token_.line;
    function.name = name(function.entry ? "the name of a kernel" : "the name of a function");
    if (at("(")) function.parameters = parameters("before the parameters", &names);
    for (auto* list : {&function.results, &function.parameters}) {
        for (auto& parameter : *list) {
            if (function.entry && parameter.space == Space::reg) {
                throw PtxError(parameter.line, "the parameters of a kernel are .param, not .reg");
            }
        }
    }
    if (function.entry) {
        uint64_t bytes = 0;
        for (auto& parameter : function.parameters) {
            bytes = (bytes + parameter.align - 1) / parameter.align * parameter.align + parameter.bytes;
            if (bytes <= largest_parameters) continue;
            throw PtxError(parameter.line, "the parameters of the kernel '" + printable(text) + "' take more than " +
                                               std::to_string(largest_parameters) + " bytes");
        }
    }
    function_directives(function);
    if (at("{")) {
        body(function, std::move(names));
    } else {
        expect(";", "or '{' after the header of a function");
        if (function.entry && !function.external) {
            throw PtxError(function.line, "the kernel '" + printable(text) + "' has no body");
        }
    }
    enter(std::move(function), text);
}

/// Puts a function into the module, in the place of its declaration if there is one.
void Parser::enter(ast::Function&& function, std::string_view text) {
    auto known = names_.entries.find(text);
    if (known == names_.entries.end() || known->second.kind != Names::function) {
        declare(names_, text, {Names::function, static_cast<uint32_t>(module_->functions.size())}, function.line);
        module_->functions.push_back(std::move(function));
        return;
    }
    auto& other = module_->functions[known->second.index];
    if (function.defined && other.defined) {
        throw PtxError(function.line, "'" + printable(text) + "' is defined a second time");
    }
    if (function.entry != other.entry || !same_shape(function.results, other.results) ||
        !same_shape(function.parameters, other.parameters)) {
        throw PtxError(function.line, "'" + printable(text) + "' is declared otherwise in line " +
                                          std::to_string(other.line));
    }
    bool visible = function.visible || other.visible, weak = function.weak || other.weak;
    bool noreturn = function.noreturn || other.noreturn;
    if (function.defined) other = std::move(function);
    other.visible = visible;
    other.weak = weak;
    other.noreturn = noreturn;
}

void Parser::triple(uint32_t (&sizes)[3], const char* directive) {
    advance();
    if (sizes[0]) fail(std::string(directive) + " stands twice");
    for (int i = 0; i < 3; ++i) {
        if (i > 0 && !accept(",")) {
            sizes[i] = 1;
            continue;
        }
        auto line = token_.line;
        sizes[i] = static_cast<uint32_t>(constant("a size", INT32_MAX));
        if (sizes[i] == 0) throw PtxError(line, std::string("a size of ") + directive + " is 0");
    }
}

void Parser::function_directives(ast::Function& function) {
    auto number = [&](uint32_t& value) {
        std::string directive(token_.text);
        advance();
        value = static_cast<uint32_t>(constant(directive.c_str(), INT32_MAX));
    };
    uint32_t unused = 0;  // hints to a compiler's register allocation and occupancy
    for (;;) {
        if (function.entry && at(".maxntid")) triple(function.maxntid, ".maxntid");
        else if (function.entry && at(".reqntid")) triple(function.reqntid, ".reqntid");
        else if (function.entry && at(".reqnctapercluster")) triple(function.cluster, ".reqnctapercluster");
        else if (function.entry && accept(".explicitcluster")) function.explicit_cluster = true;
        else if (function.entry && accept(".blocksareclusters")) function.blocks_are_clusters = true;
        else if (function.entry && at(".maxclusterrank")) number(function.max_cluster_rank);
        else if (function.entry && at(".minnctapersm")) number(function.minnctapersm);
        else if (function.entry && at(".maxnctapersm")) number(unused);
        else if (at(".maxnreg")) number(function.maxnreg);
        else if (at(".abi_preserve") || at(".abi_preserve_control")) number(unused);
        else if (accept(".noreturn")) function.noreturn = true;
        else if (accept(".pragma")) {
            do function.pragmas.push_back(string("a string after .pragma"));
            while (accept(","));
            expect(";", "after .pragma");
        } else break;
    }
}

void Parser::body(ast::Function& function, Names&& outermost) {
    function.defined = true;
    file_ = file_line_ = 0;
    auto line = token_.line;
    advance();
    std::vector<Names> names;       // of the open blocks
    std::vector<uint32_t> open{0};  // their indices
    names.push_back(std::move(outermost));
    while (!open.empty()) {
        if (token_.kind == Token::end) {
            fail("the body of '" + printable(function.name) + "', which begins in line " + std::to_string(line) +
                 ", has no closing '}'");
        }
        statement(function, names, open);
    }
}

void Parser::statement(ast::Function& function, std::vector<Names>& names, std::vector<uint32_t>& open) {
    uint32_t scope = open.back();
    if (accept("{")) {
        if (open.size() >= deepest_block) fail("blocks nested deeper than " + std::to_string(deepest_block));
        open.push_back(static_cast<uint32_t>(function.scopes.size()));
        function.scopes.push_back({scope});
        names.emplace_back();
    } else if (at("}")) {
        advance();
        open.pop_back();
        names.pop_back();
    } else if (at("@") || token_.kind == Token::name) {
        if (token_.kind == Token::name && ahead().is(":")) label(function, names.back(), scope);
        else instruction(function, scope);
    } else if (token_.kind == Token::dotted) {
        if (space_named(token_.text) != Space::none) return local_variables(function, names.back(), scope);
        if (at(".loc")) return location();
        if (at(".file")) return file();
        if (accept(".pragma")) {
            do function.pragmas.push_back(string("a string after .pragma"));
            while (accept(","));
            expect(";", "after .pragma");
            return;
        }
        if (at(".callprototype") || at(".calltargets") || at(".branchtargets")) {
            fail(describe(token_) + " needs a label before it");
        }
        expected("a statement");
    } else if (!accept(";")) {
        expected("a statement");
    }
}

void Parser::local_variables(ast::Function& function, Names& names, uint32_t scope) {
    auto pattern = declaration(false);
    if (pattern.type >= Type::texref) fail(std::string(type_name(pattern.type)) + " stands at the top level only");
    pattern.scope = scope;
    do {
        auto variable = pattern;
        auto text = token_.text;
        auto line = token_.line;
        bool range = pattern.space == Space::reg && ahead().is("<");
        declarator(variable, false);
        if (variable.array && variable.count == 0) throw PtxError(line, "an array without a size");
        if (range) declare_range(names, text, variable.range, line);
        else declare(names, text, {Names::variable, 0}, line);
        // %r<0> declares nothing.
        if (!range || variable.range) function.variables.push_back(std::move(variable));
    } while (accept(","));
    expect(";", "after the declaration");
}

void Parser::label(ast::Function& function, Names& names, uint32_t scope) {
    auto text = token_.text;
    auto line = token_.line;
    advance();
    advance();
    declare(names, text, {Names::label, 0}, line);
    if (at(".callprototype") || at(".calltargets") || at(".branchtargets")) {
        return prototype(function, text, line, scope);
    }
    function.labels.push_back({std::string(text), static_cast<uint32_t>(function.code.size()), line, scope});
}

void Parser::prototype(ast::Function& function, std::string_view label, uint32_t line, uint32_t scope) {
    ast::Prototype prototype;
    prototype.name = label;
    prototype.line = line;
    prototype.scope = scope;
    if (accept(".callprototype")) {
        if (at("(")) prototype.results = parameters("before the results", nullptr);
        if (!accept("_")) name("'_' or a name after .callprototype");
        if (at("(")) prototype.parameters = parameters("before the parameters", nullptr);
        for (;;) {
            if (accept(".noreturn")) {
                prototype.noreturn = true;
            } else if (accept(".abi_preserve") || accept(".abi_preserve_control")) {
                constant("the number of registers", INT32_MAX);
            } else {
                break;
            }
        }
    } else {
        prototype.kind = at(".calltargets") ? ast::Prototype::call_targets : ast::Prototype::branch_targets;
        bool calls = prototype.kind == ast::Prototype::call_targets;
        advance();
        do prototype.targets.emplace_back(name(calls ? "the name of a function" : "a label"));
        while (accept(","));
    }
    expect(";", "after the list");
    function.prototypes.push_back(std::move(prototype));
}

}  // namespace emu::ptx
