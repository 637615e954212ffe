// Follows calls from a kernel, and finds cycles of them: what is recursive, and how deep frames stack up.
#include "decode/reach.h"

#include <algorithm>
#include <map>

#include "ops/system.h"

namespace emu {

namespace {

void collect_names(const ast::Operand& o, std::set<std::string>& names) {
    if (!o.name.empty()) names.insert(o.name);
    for (const auto& e : o.elements) collect_names(e, names);
    for (const auto& e : o.coordinates) collect_names(e, names);
}

/// The operand of a call that names what is called: behind the results, if there are any.
const ast::Operand* callee_of(const ast::Instruction& i) {
    for (const auto& o : i.operands) if (o.kind == ast::Operand::reg) return &o;
    return nullptr;
}

/// Marks the functions that lie on a cycle of calls: strongly connected components, by Tarjan's algorithm without
/// recursion, as the chain of calls may be as long as the text.
void mark_cycles(Reach& reach) {
    auto& functions = reach.functions;
    std::vector<uint32_t> number(functions.size(), 0), low(functions.size(), 0), next(functions.size(), 0);
    std::vector<bool> open(functions.size(), false);
    std::vector<uint32_t> path, members;  // of the search; of components not complete
    uint32_t count = 0;
    auto enter = [&](uint32_t k) {
        number[k] = low[k] = ++count;
        open[k] = true;
        path.push_back(k);
        members.push_back(k);
    };
    for (uint32_t root = 0; root < functions.size(); ++root) {
        if (!number[root]) enter(root);
        while (!path.empty()) {
            const uint32_t at = path.back();
            if (next[at] < functions[at].calls.size()) {
                const uint32_t callee = functions[at].calls[next[at]++];
                if (callee == at) functions[at].recursive = true;
                if (!number[callee]) enter(callee);
                else if (open[callee]) low[at] = std::min(low[at], number[callee]);
                continue;
            }
            path.pop_back();
            if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[at]);
            if (low[at] != number[at]) continue;
            const bool several = members.back() != at;
            for (bool last = false; !last; members.pop_back()) {
                last = members.back() == at;
                open[members.back()] = false;
                if (several) functions[members.back()].recursive = true;
            }
        }
    }
}

}  // namespace

Reach find_reachable(const ast::Module& module, const Image& image, const ast::Function& kernel) {
    Reach reach;
    std::map<const ast::Function*, uint32_t> index;
    auto visit = [&](const ast::Function& f) {
        const auto [it, fresh] = index.emplace(&f, static_cast<uint32_t>(reach.functions.size()));
        if (fresh) reach.functions.push_back({&f, {}, false, false});
        return it->second;
    };
    visit(kernel);
    std::set<std::string> taken;  // functions whose address some instruction takes
    bool indirect = false;
    for (size_t k = 0;; ++k) {
        if (k == reach.functions.size()) {
            // Calls through pointers reach every function whose address is known to somebody.
            if (!indirect) break;
            for (uint32_t f = 0; f < module.functions.size(); ++f) {
                const ast::Function& function = module.functions[f];
                if (!function.entry && function.defined && (image.address_taken(f) || taken.count(function.name))) {
                    visit(function);
                }
            }
            if (k == reach.functions.size()) break;
        }
        const ast::Function& f = *reach.functions[k].function;
        for (const auto& i : f.code) {
            for (const auto& o : i.operands) collect_names(o, reach.names);
            const bool call = i.opcode == "call";
            const ast::Operand* callee = call ? callee_of(i) : nullptr;
            for (const auto& o : i.operands) {
                if (&o != callee && o.kind == ast::Operand::reg && image.function(o.name) >= 0) taken.insert(o.name);
            }
            if (!callee) continue;
            const int64_t target = image.function(callee->name);
            if (target < 0) {
                reach.functions[k].indirect = indirect = true;
                continue;
            }
            const ast::Function& to = module.functions[static_cast<size_t>(target)];
            if (!to.defined) {
                if (system_call(to.name)) continue;
                const char* why = system_refusal(to.name);
                throw PtxError(i.line,
                               "call: the function " + to.name +
                                   (why ? std::string(" is not supported: ") + why : " is declared, but not defined"));
            }
            if (to.entry) throw PtxError(i.line, "call: " + to.name + " is a kernel");
            const uint32_t callee_index = visit(to);
            reach.functions[k].calls.push_back(callee_index);
        }
    }
    // Recursive: on a cycle of calls, or callable through a pointer while somebody does call through one.
    const size_t n = reach.functions.size();
    mark_cycles(reach);
    for (uint32_t k = 0; k < n; ++k) {
        const ast::Function& f = *reach.functions[k].function;
        const int64_t symbol = image.function(f.name);
        if (indirect && !f.entry &&
            (taken.count(f.name) || (symbol >= 0 && image.address_taken(static_cast<uint32_t>(symbol))))) {
            reach.functions[k].recursive = true;
        }
        reach.recursive = reach.recursive || reach.functions[k].recursive;
    }
    // What a pointer's callee calls may be on the stack twice with it.
    if (indirect) {
        for (uint32_t k = 1; k < n; ++k) reach.functions[k].recursive = true;
        reach.recursive = reach.recursive || n > 1;
    }
    return reach;
}

uint64_t Reach::deepest(const std::function<uint32_t(uint32_t)>& bytes) const {
    // The functions that are not recursive form no cycle; recursive ones are counted flat.
    uint64_t flat = 0;
    std::vector<uint64_t> depth(functions.size(), 0);
    std::vector<uint8_t> state(functions.size(), 0);
    for (size_t k = 0; k < functions.size(); ++k) if (functions[k].recursive) flat += bytes(static_cast<uint32_t>(k));
    std::vector<uint32_t> stack = {0};
    while (!stack.empty()) {
        const uint32_t at = stack.back();
        if (state[at] == 0) {
            state[at] = 1;
            for (uint32_t c : functions[at].calls) if (state[c] == 0 && !functions[c].recursive) stack.push_back(c);
            continue;
        }
        stack.pop_back();
        if (state[at] == 2) continue;
        state[at] = 2;
        uint64_t deepest_callee = 0;
        for (uint32_t c : functions[at].calls)
            if (!functions[c].recursive && state[c] == 2) deepest_callee = std::max(deepest_callee, depth[c]);
        depth[at] = bytes(at) + deepest_callee;
    }
    return depth[0] + flat;
}

}  // namespace emu
