// A module as PTX text again: for tests of the parser, and to see what it understood.
#include <cinttypes>
#include <cstdio>

#include "ptx/parser.h"

namespace emu {
namespace {

using namespace ast;
using ptx::space_name;
using ptx::type_name;

std::string hex(const char* format, uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string with_offset(const std::string& name, int64_t offset) {
    if (offset == 0) return name;
    return name + "+" + std::to_string(offset);  // ptxas reads +-8, not -8
}

std::string join(const std::vector<Operand>& operands);

std::string show(const Operand& operand) {
    switch (operand.kind) {
        case Operand::reg: return operand.name;
        case Operand::integer:
            if (operand.negative) return "-" + std::to_string(0 - operand.bits) + (operand.is_unsigned ? "U" : "");
            return operand.is_unsigned ? std::to_string(operand.bits) + "U"
                                       : std::to_string(static_cast<int64_t>(operand.bits));
        case Operand::real:
            return operand.single ? hex("0f%08" PRIX64, operand.raw32) : hex("0d%016" PRIX64, operand.bits);
        case Operand::address: {
            auto text = operand.name.empty() ? std::to_string(operand.offset)
                                             : with_offset(operand.name, operand.offset);
            if (!operand.coordinates.empty()) text += ", {" + join(operand.coordinates) + "}";
            return "[" + text + "]";
        }
        case Operand::vector: return "{" + join(operand.elements) + "}";
        case Operand::sink: return "_";
        case Operand::pair: return show(operand.elements[0]) + "|" + show(operand.elements[1]);
        case Operand::list: return "(" + join(operand.elements) + ")";
        case Operand::member: return operand.name + "." + "xyzw"[operand.offset & 3];
        case Operand::symbol_offset:
            return operand.offset ? with_offset(operand.name, operand.offset) : operand.name + "+0";
        case Operand::negated: return (operand.negative ? "-" : "!") + show(operand.elements[0]);
    }
    return {};
}

std::string join(const std::vector<Operand>& operands) {
    std::string text;
    for (auto& operand : operands) text += (text.empty() ? "" : ", ") + show(operand);
    return text;
}

/// The bytes and relocations of an initializer, element for element, in the braces of its array.
std::string show(const Variable& variable, const Initializer& initializer) {
    uint32_t size = ptx::type_bytes(variable.type);
    std::string text;
    size_t next = 0;
    uint64_t in_row = 0;
    for (uint64_t at = 0; at + size <= initializer.bytes.size(); at += size) {
        if (variable.vector > 1) text += in_row == 0 ? (at ? ", {" : "{") : ", ";
        else if (at) text += ", ";
        if (next < initializer.relocations.size() && initializer.relocations[next].at == at) {
            auto& relocation = initializer.relocations[next++];
            auto symbol = with_offset(relocation.symbol, relocation.addend);
            if (relocation.generic) symbol = with_offset("generic(" + relocation.symbol + ")", relocation.addend);
            text += relocation.mask ? hex("0x%" PRIX64, relocation.mask) + "(" + symbol + ")" : symbol;
        } else {
            uint64_t value = 0;
            for (uint32_t i = 0; i < size && i < 8; ++i) value |= uint64_t{initializer.bytes[at + i]} << (8 * i);
            if (variable.type == Type::f32) text += hex("0f%08" PRIX64, value);
            else if (variable.type == Type::f64) text += hex("0d%016" PRIX64, value);
            else text += std::to_string(value);
        }
        if (variable.vector > 1 && ++in_row == variable.vector) {
            text += "}";
            in_row = 0;
        }
    }
    if (in_row) text += "}";
    bool plain = !variable.array;
    return plain ? text : "{" + text + "}";
}

std::string linkage(const Variable& variable) {
    return variable.external ? ".extern " : variable.visible ? ".visible " : variable.weak ? ".weak "
           : variable.common ? ".common " : "";
}

std::string show(const Variable& variable) {
    std::string text = linkage(variable) + space_name(variable.space);
    if (variable.space != Space::reg && !variable.pointer) text += " .align " + std::to_string(variable.align);
    if (variable.vector > 1) text += " .v" + std::to_string(variable.vector);
    text += std::string(" ") + type_name(variable.type);
    if (variable.pointer) {
        text += " .ptr";
        if (variable.pointee != Space::none && variable.pointee != Space::generic) {
            text += std::string(" ") + space_name(variable.pointee);
        }
        if (variable.pointee_align) text += " .align " + std::to_string(variable.pointee_align);
    }
    text += " " + variable.name;
    if (variable.range) text += "<" + std::to_string(variable.range) + ">";
    if (variable.array) text += variable.count ? "[" + std::to_string(variable.count) + "]" : "[]";
    if (variable.initializer && (variable.array || !variable.initializer->bytes.empty())) {
        text += " = " + show(variable, *variable.initializer);
    }
    return text;
}

std::string show(const std::vector<Variable>& parameters) {
    std::string text;
    for (auto& parameter : parameters) text += (text.empty() ? "" : ", ") + show(parameter);
    return "(" + text + ")";
}

std::string show(const Prototype& prototype) {
    std::string text = prototype.name + ": ";
    if (prototype.kind == Prototype::call) {
        text += ".callprototype ";
        if (!prototype.results.empty()) text += show(prototype.results) + " ";
        text += "_ " + show(prototype.parameters) + (prototype.noreturn ? " .noreturn" : "");
    } else {
        text += prototype.kind == Prototype::call_targets ? ".calltargets " : ".branchtargets ";
        for (size_t i = 0; i < prototype.targets.size(); ++i) text += (i ? ", " : "") + prototype.targets[i];
    }
    return text + ";\n";
}

std::string show(const Instruction& instruction) {
    std::string text;
    if (!instruction.guard.name.empty()) {
        text += (instruction.guard.negated ? "@!" : "@") + instruction.guard.name + " ";
    }
    text += instruction.opcode;
    for (auto& modifier : instruction.modifiers) text += "." + modifier;
    if (!instruction.operands.empty()) text += " " + join(instruction.operands);
    return text + ";\n";
}

std::string header(const Function& function) {
    std::string text = function.external ? ".extern " : function.visible ? ".visible " : function.weak ? ".weak " : "";
    text += function.entry ? ".entry " : ".func ";
    if (!function.results.empty()) text += show(function.results) + " ";
    text += function.name + show(function.parameters) + "\n";
    if (function.noreturn) text += ".noreturn\n";
    auto triple = [&](const char* name, const uint32_t (&sizes)[3]) {
        if (!sizes[0]) return;
        text += std::string(name) + " " + std::to_string(sizes[0]) + ", " + std::to_string(sizes[1]) + ", " +
                std::to_string(sizes[2]) + "\n";
    };
    triple(".maxntid", function.maxntid);
    triple(".reqntid", function.reqntid);
    triple(".reqnctapercluster", function.cluster);
    if (function.explicit_cluster) text += ".explicitcluster\n";
    if (function.blocks_are_clusters) text += ".blocksareclusters\n";
    if (function.max_cluster_rank) text += ".maxclusterrank " + std::to_string(function.max_cluster_rank) + "\n";
    if (function.minnctapersm) text += ".minnctapersm " + std::to_string(function.minnctapersm) + "\n";
    if (function.maxnreg) text += ".maxnreg " + std::to_string(function.maxnreg) + "\n";
    return text;
}

/// The body's text, block after block: what belongs to one is printed when its first statement opens it.
struct Body {
    const Function& function;
    std::string text;
    std::vector<uint32_t> open;
    std::vector<std::vector<const Variable*>> variables;

    explicit Body(const Function& f) : function(f), variables(f.scopes.size()) {
        for (auto& variable : f.variables) variables[variable.scope].push_back(&variable);
    }

    void enter(uint32_t scope) {
        open.push_back(scope);
        text += "{\n";
        for (auto* variable : variables[scope]) text += show(*variable) + ";\n";
    }

    /// Closes and opens blocks until `scope` is the innermost: scopes are numbered in the order of the text.
    void move_to(uint32_t scope) {
        for (;;) {
            uint32_t above = scope;
            while (above > open.back()) above = function.scopes[above].parent;
            if (above == open.back()) break;
            open.pop_back();
            text += "}\n";
        }
        std::vector<uint32_t> path;
        for (uint32_t s = scope; s != open.back(); s = function.scopes[s].parent) path.push_back(s);
        for (size_t i = path.size(); i-- > 0;) enter(path[i]);
    }

    std::string show_all() {
        enter(0);
        for (auto& pragma : function.pragmas) text += ".pragma \"" + pragma + "\";\n";
        size_t label = 0, prototype = 0;
        uint32_t file = 0, file_line = 0;
        for (size_t i = 0; i <= function.code.size(); ++i) {
            // Prototypes have no place among the instructions: they go by their lines.
            uint32_t line = i < function.code.size() ? function.code[i].line : UINT32_MAX;
            while (prototype < function.prototypes.size() && function.prototypes[prototype].line <= line) {
                auto& one = function.prototypes[prototype++];
                move_to(one.scope);
                text += show(one);
            }
            while (label < function.labels.size() && function.labels[label].instruction == i) {
                auto& one = function.labels[label++];
                move_to(one.scope);
                text += one.name + ":\n";
            }
            if (i == function.code.size()) break;
            auto& instruction = function.code[i];
            move_to(instruction.scope);
            if (instruction.file != file || instruction.file_line != file_line) {
                file = instruction.file;
                file_line = instruction.file_line;
                text += ".loc " + std::to_string(file) + " " + std::to_string(file_line) + " 0\n";
            }
            text += show(instruction);
        }
        for (size_t i = 0; i < open.size(); ++i) text += "}\n";
        return std::move(text);
    }
};

}  // namespace

std::string dump(const Module& module) {
    std::string text = ".version " + std::to_string(module.version_major) + "." +
                       std::to_string(module.version_minor) + "\n.target " + module.target;
    for (auto& option : module.target_options) text += ", " + option;
    text += "\n.address_size " + std::to_string(module.address_size) + "\n";
    for (auto& [index, name] : module.files) text += ".file " + std::to_string(index) + " \"" + name + "\"\n";
    for (auto& pragma : module.pragmas) text += ".pragma \"" + pragma + "\";\n";
    // Initializers may name functions, and functions variables: what is declared twice is declared first.
    for (auto& function : module.functions) {
        if (!function.entry) text += header(function) + ";\n";
    }
    for (auto& variable : module.variables) text += show(variable) + ";\n";
    for (auto& [one, other] : module.aliases) text += ".alias " + one + ", " + other + ";\n";
    for (bool entry : {false, true}) {
        for (auto& function : module.functions) {
            if (function.defined && function.entry == entry) text += header(function) + Body(function).show_all();
        }
    }
    return text;
}

}  // namespace emu
