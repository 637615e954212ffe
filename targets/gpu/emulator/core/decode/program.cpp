// A kernel and the functions it can reach become one program: registers and frames get places, every instruction its
// form, every label its pc, every basic block its order.
#include <algorithm>

#include "decode/context.h"
#include "decode/match.h"
#include "decode/order.h"
#include "decode/reach.h"

namespace emu {

namespace {

constexpr uint32_t kMaxRegisterBytes = 64u << 20;  // of a warp
constexpr uint64_t kMaxFrame = 1u << 20;           // of a thread: local variables of one function
constexpr size_t kMaxCode = 8u << 20;              // instructions

uint64_t round_up(uint64_t n, uint64_t to) { return to ? (n + to - 1) / to * to : n; }

Parameter parameter(const ast::Variable& v) {
    Parameter p;
    p.name = v.name;
    p.type = v.type;
    p.bytes = static_cast<uint32_t>(v.bytes);
    p.align = v.align ? v.align : 1;
    p.pointer = v.pointer;
    return p;
}

Entity variable_entity(const ast::Variable& v, Space space, uint64_t address) {
    Entity e;
    e.kind = Entity::variable;
    e.space = space;
    e.address = address;
    e.bytes = v.bytes;
    e.declared = &v;
    return e;
}

/// Static shared memory of the program grows by a variable.
Entity place_shared(Program& p, const ast::Variable& v) {
    const uint64_t align = v.align ? v.align : 1;
    if (v.external || (v.array && v.count == 0)) {
        p.dynamic_shared = true;
        p.dynamic_align = std::max(p.dynamic_align, static_cast<uint32_t>(align));
        return variable_entity(v, Space::shared, ~uint64_t{0});  // known when all static ones are
    }
    const uint64_t at = round_up(kSharedStart + p.shared_bytes, align);
    if (v.bytes > (1u << 24) || at + v.bytes > (1u << 24)) {
        throw PtxError(v.line, "variable " + v.name + ": too much shared memory");
    }
    p.shared_bytes = at + v.bytes - kSharedStart;
    return variable_entity(v, Space::shared, at);
}

}  // namespace

Slot Decode::Context::take_register(uint32_t bytes_a_lane) {
    const uint32_t size = bytes_a_lane ? bytes_a_lane * kLanes : 4;
    const uint32_t at = static_cast<uint32_t>(round_up(program.register_bytes, bytes_a_lane ? 64 : 4));
    if (at > kMaxRegisterBytes - size) {
        throw PtxError(function ? function->line : 0, "the kernel has too many registers");
    }
    program.register_bytes = at + size;
    if (function) {
        Function& f = program.functions[function_index];
        if (f.recursive) f.window.emplace_back(at, bytes_a_lane);
    }
    return at;
}

void Decode::Context::declare(const ast::Function& f) {
    function = &f;
    scopes.assign(f.scopes.empty() ? 1 : f.scopes.size(), {});
    prototypes.clear();
    Function& out = program.functions[function_index];
    uint64_t frame = 0;
    auto in_frame = [&](const ast::Variable& v) {
        const uint64_t at = round_up(frame, std::max<uint64_t>(v.align, 1));
        frame = at + v.bytes;
        if (v.bytes > kMaxFrame || frame > kMaxFrame) {
            throw PtxError(v.line, "variable " + v.name + ": too much local memory");
        }
        return variable_entity(v, Space::local, at);
    };
    auto add = [&](uint32_t scope_index, const std::string& name, Entity e, uint32_t line) {
        if (!scopes[scope_index].emplace(name, std::move(e)).second) {
            throw PtxError(line, "the name " + name + " is declared twice");
        }
    };
    auto registers = [&](const ast::Variable& v) {
        const uint32_t bytes = bytes_of(v.type);
        if (v.type != Type::pred && bytes == 0) {
            throw PtxError(v.line, "registers of type ." + std::string(name_of(v.type)) + " are not supported");
        }
        const uint32_t lanes = v.type == Type::pred ? 0 : std::max(bytes, 2u);
        const uint32_t count = v.range ? v.range : 1;
        for (uint32_t k = 0; k < count; ++k) {
            const std::string name = v.range ? v.name + std::to_string(k) : v.name;
            if (v.vector > 1) {
                Entity whole;
                whole.kind = Entity::vector_reg;
                whole.type = v.type;
                whole.elements = v.vector;
                add(v.scope, name, whole, v.line);
                for (uint32_t m = 0; m < v.vector && m < 4; ++m) {
                    Entity e;
                    e.kind = Entity::reg;
                    e.type = v.type;
                    e.slot = take_register(lanes);
                    scopes[v.scope][name + "." + "xyzw"[m]] = e;
                    scopes[v.scope][name + "." + "rgba"[m]] = e;
                }
            } else {
                Entity e;
                e.kind = Entity::reg;
                e.type = v.type;
                e.slot = take_register(lanes);
                add(v.scope, name, e, v.line);
            }
        }
    };
    if (f.entry) {
        uint64_t at = 0;
        for (const auto& v : f.parameters) {
            Parameter p = parameter(v);
            p.offset = at = round_up(at, p.align);
            at += p.bytes;
            if (at > 65536) throw PtxError(v.line, "the kernel's parameters take more than 64 KiB");
            program.parameters.push_back(p);
            add(0, v.name, variable_entity(v, Space::param, p.offset), v.line);
        }
        program.parameter_bytes = at;
        out.parameters = program.parameters;
    } else {
        for (const auto* list : {&f.parameters, &f.results}) {
            for (const auto& v : *list) {
                Parameter p = parameter(v);
                if (v.space == Space::reg) {
                    registers(v);
                    p.offset = scopes[0].at(v.name).slot;
                    p.in_register = true;
                } else {
                    const Entity e = in_frame(v);
                    p.offset = e.address;
                    add(0, v.name, e, v.line);
                }
                (list == &f.parameters ? out.parameters : out.results).push_back(p);
            }
        }
    }
    for (const auto& v : f.variables) {
        switch (v.space) {
            case Space::reg: registers(v); break;
            case Space::local: case Space::param: add(v.scope, v.name, in_frame(v), v.line); break;
            case Space::shared: add(v.scope, v.name, place_shared(program, v), v.line); break;
            default: {
                const Symbol* symbol = image.find(v.name);
                if (!symbol) {
                    throw PtxError(v.line,
                                   "variable " + v.name + ": this space cannot be declared inside of a function");
                }
            }
        }
    }
    for (const auto& l : f.labels) {
        Entity e;
        e.kind = Entity::label;
        e.index = l.instruction;
        add(l.scope, l.name, e, l.line);
    }
    for (const auto& p : f.prototypes) prototypes[p.name] = &p;
    out.frame = static_cast<uint32_t>(round_up(frame, 16));
}

namespace {

/// Decodes the function's instructions behind those the program has.
void decode_function(Decode::Context& c) {
    Program& p = c.program;
    const ast::Function& f = *c.function;
    Function& out = p.functions[c.function_index];
    out.first = static_cast<uint32_t>(p.code.size());
    std::vector<uint32_t> pc_of(f.code.size() + 1);
    std::vector<std::string> words;

    auto emit = [&](Inst inst, const ast::Instruction& source, uint32_t opcode, Flow flow,
                    const std::vector<Slot>& touched) {
        inst.pc = static_cast<uint32_t>(p.code.size());
        if (inst.pc >= kMaxCode) throw PtxError(source.line, "the kernel has too many instructions");
        p.code.push_back(inst);
        p.origins.push_back({source.line, source.file, source.file_line, c.function_index, opcode});
        c.flows.push_back(std::move(flow));
        p.operand_first.push_back(static_cast<uint32_t>(p.operands.size()));
        p.operands.insert(p.operands.end(), touched.begin(), touched.end());
    };
    auto opcode_index = [&](const std::string& name) {
        const auto [it, fresh] = c.opcodes.emplace(name, static_cast<uint32_t>(p.opcodes.size()));
        if (fresh) p.opcodes.push_back(name);
        return it->second;
    };

    for (size_t k = 0; k < f.code.size(); ++k) {
        const ast::Instruction& source = f.code[k];
        c.scope = source.scope;
        pc_of[k] = static_cast<uint32_t>(p.code.size());
        Decode d(c, source);
        const Form* form = match(source, d.words);
        if (!form) d.unsupported(no_match(source));
        if (!source.guard.name.empty()) {
            ast::Operand guard;
            guard.kind = ast::Operand::reg;
            guard.name = source.guard.name;
            d.inst.guard = d.predicate(guard, nullptr);
            if (source.guard.negated) d.inst.flags |= Inst::guard_negated;
        }
        form->decode(d);
        if (!d.inst.run) d.fail("the form has no implementation");
        std::string name = source.opcode;
        for (const auto& m : source.modifiers) name += "." + m;
        const uint32_t opcode = opcode_index(name);
        for (const Inst& before : d.prefix) emit(before, source, opcode, {}, {});
        if (d.flow.kind != Flow::on) d.inst.flags |= Inst::block_end;
        emit(d.inst, source, opcode, std::move(d.flow), d.touched);
        for (const Inst& after : d.suffix) emit(after, source, opcode, {}, {});
    }
    // Falling off the end is a return.
    pc_of[f.code.size()] = static_cast<uint32_t>(p.code.size());
    ast::Instruction last;
    last.line = f.code.empty() ? f.line : f.code.back().line;
    last.opcode = f.entry ? "exit" : "ret";
    c.scope = 0;
    Decode d(c, last);
    const Form* form = match(last, d.words);
    form->decode(d);
    d.inst.flags |= Inst::block_end;
    emit(d.inst, last, opcode_index(last.opcode), std::move(d.flow), {});
    out.end = static_cast<uint32_t>(p.code.size());

    // Labels were instruction numbers.
    for (uint32_t pc = out.first; pc < out.end; ++pc) {
        for (uint32_t& label : c.flows[pc].labels) label = pc_of[label];
        Inst& inst = p.code[pc];
        if (c.flows[pc].kind == Flow::branch) inst.imm = c.flows[pc].labels.at(0);
        if (c.flows[pc].kind == Flow::table) {
            inst.imm = static_cast<int64_t>(p.targets.size());
            p.targets.insert(p.targets.end(), c.flows[pc].labels.begin(), c.flows[pc].labels.end());
        }
    }
}

/// Splits the functions' code into basic blocks and orders them.
void make_blocks(Decode::Context& c) {
    Program& p = c.program;
    const uint32_t count = static_cast<uint32_t>(p.code.size());
    std::vector<bool> leader(count + 1, false);
    for (const Function& f : p.functions) if (f.first < count) leader[f.first] = true;
    for (uint32_t pc = 0; pc < count; ++pc) {
        if (c.flows[pc].kind != Flow::on) leader[pc + 1] = true;
        for (uint32_t target : c.flows[pc].labels) leader[target] = true;
    }
    p.block_of.resize(count);
    std::vector<uint32_t> first;
    for (uint32_t pc = 0; pc < count; ++pc) {
        if (leader[pc]) first.push_back(pc);
        p.block_of[pc] = static_cast<uint32_t>(first.size() - 1);
        if (leader[pc + 1]) p.code[pc].flags |= Inst::block_end;
    }
    uint32_t order = 0;
    for (const Function& f : p.functions) {
        const uint32_t low = p.block_of[f.first], high = p.block_of[f.end - 1] + 1;
        std::vector<std::vector<uint32_t>> successors(high - low);
        for (uint32_t b = low; b < high; ++b) {
            const uint32_t end = b + 1 < first.size() ? first[b + 1] : count;
            const uint32_t pc = end - 1;
            auto& to = successors[b - low];
            const Flow& flow = c.flows[pc];
            for (uint32_t target : flow.labels) to.push_back(p.block_of[target] - low);
            const bool leaves = (flow.kind == Flow::branch || flow.kind == Flow::table || flow.kind == Flow::end) &&
                                p.code[pc].guard == kNone;
            if (!leaves && end < f.end) to.push_back(b + 1 - low);
            std::sort(to.begin(), to.end());
            to.erase(std::unique(to.begin(), to.end()), to.end());
        }
        std::vector<BlockOrder> blocks;
        order = order_blocks(successors, order, blocks);
        p.blocks.insert(p.blocks.end(), blocks.begin(), blocks.end());
    }
}

}  // namespace

std::unique_ptr<Program> decode(const ast::Module& module, const Image& image, const ast::Function& kernel) {
    if (kernel.blocks_are_clusters) {
        throw PtxError(kernel.line, kernel.name + ": grids counted in clusters (.blocksareclusters) are not supported",
                       true);
    }
    auto program = std::make_unique<Program>();
    Program& p = *program;
    p.name = kernel.name;
    p.register_bytes = special_end;
    for (int k = 0; k < 3; ++k) {
        p.maxntid[k] = kernel.maxntid[k];
        p.reqntid[k] = kernel.reqntid[k];
        p.cluster[k] = kernel.cluster[k];
    }
    for (const auto& [index, file] : module.files) {
        if (index < 65536) {
            if (p.files.size() <= index) p.files.resize(index + 1);
            p.files[index] = file;
        }
    }
    Decode::Context c(module, image, p);
    const Reach reach = find_reachable(module, image, kernel);
    p.recursive = reach.recursive;
    for (const auto& r : reach.functions) {
        Function f;
        f.name = r.function->name;
        f.recursive = r.recursive;
        f.symbol = static_cast<uint32_t>(image.function(f.name));
        c.functions[f.name] = static_cast<uint32_t>(p.functions.size());
        p.functions.push_back(std::move(f));
    }
    for (const auto& v : module.variables) {
        if (v.space == Space::shared && reach.names.count(v.name)) c.shared[v.name] = place_shared(p, v);
    }
    // All functions' variables have their places before any instruction names one: calls need their callees' frames.
    struct Scopes {
        std::vector<std::unordered_map<std::string, Entity>> scopes;
        std::unordered_map<std::string, const ast::Prototype*> prototypes;
    };
    std::vector<Scopes> declared(p.functions.size());
    for (uint32_t k = 0; k < p.functions.size(); ++k) {
        c.function_index = k;
        c.declare(*reach.functions[k].function);
        declared[k] = {std::move(c.scopes), std::move(c.prototypes)};
    }
    // Dynamic shared memory follows the static.
    const uint64_t dynamic = round_up(kSharedStart + p.shared_bytes, std::max(p.dynamic_align, 16u));
    if (p.dynamic_shared) p.shared_bytes = dynamic - kSharedStart;
    auto settle = [&](std::unordered_map<std::string, Entity>& names) {
        for (auto& [name, e] : names) {
            if (e.kind == Entity::variable && e.space == Space::shared && e.address == ~uint64_t{0}) {
                e.address = dynamic;
            }
        }
    };
    settle(c.shared);
    for (auto& d : declared) for (auto& s : d.scopes) settle(s);

    for (uint32_t k = 0; k < p.functions.size(); ++k) {
        c.function_index = k;
        c.function = reach.functions[k].function;
        p.functions[k].registers = p.register_bytes;
        c.scopes = std::move(declared[k].scopes);
        c.prototypes = std::move(declared[k].prototypes);
        decode_function(c);
        p.functions[k].registers_end = p.register_bytes;
        for (const auto& [slot, bytes] : p.functions[k].window) p.functions[k].saved += std::max(bytes, 1u);
        p.functions[k].saved = static_cast<uint32_t>(round_up(p.functions[k].saved, 16));
    }
    p.operand_first.push_back(static_cast<uint32_t>(p.operands.size()));
    make_blocks(c);
    p.register_bytes = static_cast<uint32_t>(round_up(p.register_bytes, 64));
    // The deepest chain of calls; callees of `recursive` functions take from the stack that a launch adds.
    // A header lies below each callee's frame; the kernel has none, so that its frame ends where its memory does.
    p.local_bytes = static_cast<uint32_t>(
        round_up(reach.deepest([&](uint32_t k) { return p.functions[k].frame + (k ? 16u : 0u); }), 16));
    return program;
}

}  // namespace emu
