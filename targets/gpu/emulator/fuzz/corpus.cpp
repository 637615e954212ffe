// Cuts PTX files into kernels: a mutant of a small text is made, parsed and decoded in a fraction of the time.
#include "corpus.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "ptx/ast.h"

namespace fuzz {
namespace {

constexpr size_t largest = 48 << 10;  // bytes of a text

/// The names that a part of a module uses.
struct Names {
    std::set<std::string> all;

    void add(const std::vector<emu::ast::Operand>& operands) {
        for (auto& operand : operands) {
            all.insert(operand.name);
            add(operand.elements);
            add(operand.coordinates);
        }
    }
    void add(const emu::ast::Function& function) {
        for (auto& instruction : function.code) add(instruction.operands);
        for (auto& prototype : function.prototypes) all.insert(prototype.targets.begin(), prototype.targets.end());
    }
    void add(const emu::ast::Variable& variable) {
        if (!variable.initializer) return;
        for (auto& relocation : variable.initializer->relocations) all.insert(relocation.symbol);
    }
};

/// What the names of a module's top level stand for.
struct Index {
    std::map<std::string, const emu::ast::Function*> functions;
    std::map<std::string, const emu::ast::Variable*> variables;

    explicit Index(const emu::ast::Module& module) {
        for (auto& function : module.functions) functions[function.name] = &function;
        for (auto& variable : module.variables) variables[variable.name] = &variable;
    }
};

/// The module of one kernel.
emu::ast::Module reach(const emu::ast::Module& module, const Index& index, const emu::ast::Function& kernel) {
    std::set<std::string> done;
    Names names;
    names.add(kernel);
    while (!names.all.empty()) {
        auto name = *names.all.begin();
        names.all.erase(names.all.begin());
        if (!done.insert(name).second) continue;
        if (auto found = index.functions.find(name); found != index.functions.end()) names.add(*found->second);
        if (auto found = index.variables.find(name); found != index.variables.end()) names.add(*found->second);
        for (auto& [one, other] : module.aliases) {
            if (name == one) names.all.insert(other);
        }
    }
    emu::ast::Module result;
    result.version_major = module.version_major;
    result.version_minor = module.version_minor;
    result.target = module.target;
    for (auto& function : module.functions) {
        if (&function == &kernel || (!function.entry && done.count(function.name))) {
            result.functions.push_back(function);
        }
    }
    for (auto& variable : module.variables) {
        if (done.count(variable.name)) result.variables.push_back(variable);
    }
    for (auto& alias : module.aliases) {
        if (done.count(alias.first)) result.aliases.push_back(alias);
    }
    return result;
}

}  // namespace

std::vector<Sample> load(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    std::vector<fs::path> paths;
    for (auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".ptx") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<Sample> samples;
    std::set<std::string> seen;
    for (auto& path : paths) {
        std::ifstream in(path, std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(in), {}};
        try {
            auto module = emu::parse(text);
            Index index(*module);
            for (auto& function : module->functions) {
                if (!function.entry || !function.defined) continue;
                auto one = emu::dump(reach(*module, index, function));
                if (one.size() <= largest && seen.insert(one).second) {
                    samples.push_back({path.string() + ":" + function.name, std::move(one)});
                }
            }
        } catch (const emu::PtxError&) {
            continue;
        }
    }
    return samples;
}

}  // namespace fuzz
