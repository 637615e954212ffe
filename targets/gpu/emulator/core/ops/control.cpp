// Branches, calls, and the end of threads.
#include <algorithm>
#include <array>

#include "decode/context.h"
#include "ops/system.h"

namespace emu {

namespace {

void run_branch(Warp& w, const Inst& i, Mask mask) { w.branch(mask, static_cast<uint32_t>(i.imm)); }

void run_exit(Warp& w, const Inst&, Mask mask) { w.exit(mask); }

void run_ret(Warp& w, const Inst&, Mask mask) { w.ret(mask); }

void run_nothing(Warp&, const Inst&, Mask) {}

void run_trap(Warp& w, const Inst& i, Mask mask) {
    w.fault(Kind::trap, i, __builtin_ctz(mask), 0, i.n ? "brkpt was executed" : "trap was executed");
    w.exit(mask);
}

void decode_bra(Decode& d) {
    d.expect(1, 1);
    d.flow = {Flow::branch, {d.label(0)}};
    d.inst.run = run_branch;
}

/// brx.idx: each lane's own target.
void run_table(Warp& w, const Inst& i, Mask mask) {
    const uint32_t* index = w.get<uint32_t>(i.a);
    Mask bad = 0;
    for (Mask m = mask; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        if (index[l] >= i.c) bad |= 1u << l;
    }
    if (bad) {
        const int l = __builtin_ctz(bad);
        w.fault(Kind::trap, i, l, 0,
                "branch index " + std::to_string(index[l]) + " of " + std::to_string(i.c) + " targets");
        w.exit(bad);
        mask &= ~bad;
    }
    uint32_t lanes[kLanes];
    std::copy_n(index, kLanes, lanes);
    while (mask) {
        const uint32_t first = lanes[__builtin_ctz(mask)];
        Mask same = 0;
        for (Mask m = mask; m; m &= m - 1) {
            const int l = __builtin_ctz(m);
            if (lanes[l] == first) same |= 1u << l;
        }
        w.branch(same, w.program->targets[static_cast<size_t>(i.imm) + first]);
        mask &= ~same;
    }
}

void decode_brx(Decode& d) {
    d.expect(2, 2);
    d.inst.a = d.source(0, Type::u32);
    const auto it = d.context.prototypes.find(d.operand(1).name);
    if (it == d.context.prototypes.end() || it->second->targets.empty()) {
        d.fail("unknown table of targets " + d.operand(1).name);
    }
    d.flow.kind = Flow::table;
    for (const auto& name : it->second->targets) {
        const Entity e = d.find(name);
        if (e.kind != Entity::label) d.fail("unknown label " + name);
        d.flow.labels.push_back(e.index);
    }
    d.inst.c = static_cast<uint32_t>(d.flow.labels.size());
    d.inst.run = run_table;
}

void decode_exit(Decode& d) {
    d.expect(0, 0);
    d.flow.kind = Flow::end;
    d.inst.run = run_exit;
}

void decode_ret(Decode& d) {
    d.expect(0, 0);
    d.flow.kind = Flow::end;
    d.inst.run = d.context.function->entry ? run_exit : run_ret;
}

void decode_trap(Decode& d) {
    d.expect(0, 0);
    d.inst.n = d.source_text.opcode == "brkpt";
    d.flow.kind = Flow::end;
    d.inst.run = run_trap;
}

void decode_nothing(Decode& d) { d.inst.run = run_nothing; }

// ---- calls ----------------------------------------------------------------------------------------------------------

/// What stands for a parameter or a result at the place of the call.
struct Actual {
    bool memory = false;   // in the caller's frame, at `at`; else a slot
    uint32_t at = 0;
    uint32_t bytes = 0;
};

struct Call {
    std::vector<Actual> parameters, results;
    uint32_t caller = 0;
    uint32_t callee = 0;    // of direct calls
    uint32_t after = 0;     // where lanes go on that do not call
};

// Below a callee's frame: {function, distance to the caller's frame, the caller's alloca}.
constexpr uint32_t kHeader = 16;

uint8_t* lane_memory(Warp& w, int lane) { return w.local.host + static_cast<uint64_t>(lane) * w.local_lane; }

void copy_lane(Warp& w, int lane, bool from_memory, const uint8_t* from, Slot from_slot, bool to_memory, uint8_t* to,
               Slot to_slot, uint32_t bytes) {
    uint8_t value[16] = {};
    const uint32_t chunk = from_memory && to_memory ? bytes : std::min(bytes, 16u);
    if (from_memory && to_memory) {
        std::memmove(to, from, chunk);
        return;
    }
    if (from_memory) std::memcpy(value, from, chunk);
    else std::memcpy(value, w.get<uint8_t>(from_slot) + static_cast<size_t>(lane) * chunk, chunk);
    if (to_memory) std::memcpy(to, value, chunk);
    else std::memcpy(w.out<uint8_t>(to_slot) + static_cast<size_t>(lane) * chunk, value, chunk);
}

void save_window(Warp& w, const Function& f, int lane, uint8_t* to, bool restore) {
    for (const auto& [slot, bytes] : f.window) {
        if (bytes == 0) {
            Mask m = w.predicate(slot);
            if (restore) {
                w.put_predicate(slot, *to ? kAll : 0, 1u << lane);
            } else {
                *to = m >> lane & 1;
            }
            to += 1;
        } else {
            uint8_t* reg = w.out<uint8_t>(slot) + static_cast<size_t>(lane) * bytes;
            if (restore) std::memcpy(reg, to, bytes); else std::memcpy(to, reg, bytes);
            to += bytes;
        }
    }
}

/// Enters `callee` for the lanes of `mask`: a new frame, the parameters in it.
void enter(Warp& w, const Inst& i, Mask mask, const Call& call, uint32_t callee_index) {
    const Function& caller = w.program->functions[call.caller];
    const Function& callee = w.program->functions[callee_index];
    const uint32_t saved = callee.recursive ? callee.saved : 0;
    const uint32_t distance = caller.frame + saved + kHeader;
    uint32_t* frame = w.out<uint32_t>(special_frame);
    const uint32_t* stack = w.get<uint32_t>(special_stack);
    Mask over = 0;
    for (Mask m = mask; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        if (static_cast<uint64_t>(frame[l]) + distance + callee.frame + stack[l] > w.local_lane) over |= 1u << l;
    }
    if (over) {
        w.fault(Kind::out_of_bounds, i, __builtin_ctz(over), 0,
                "the call of " + callee.name + " overflows the thread's stack");
        w.exit(over);
        mask &= ~over;
        if (!mask) return;
    }
    for (Mask m = mask; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        uint8_t* lane = lane_memory(w, l);
        uint8_t* old = lane + frame[l];
        uint8_t* now = old + distance;
        // Parameters may stand in registers that saving is about to keep: read first, then save, then write.
        uint8_t values[16][16];
        const size_t count = std::min(callee.parameters.size(), call.parameters.size());
        for (size_t k = 0; k < count && k < 16; ++k) {
            const Actual& a = call.parameters[k];
            if (!a.memory) copy_lane(w, l, false, nullptr, a.at, true, values[k], 0, a.bytes);
        }
        if (saved) save_window(w, callee, l, old + caller.frame, false);
        for (size_t k = 0; k < count; ++k) {
            const Actual& a = call.parameters[k];
            const Parameter& formal = callee.parameters[k];
            const bool reg = formal.in_register;
            const uint8_t* from = a.memory ? old + a.at : values[k % 16];
            copy_lane(w, l, true, from, 0, !reg, reg ? nullptr : now + formal.offset, static_cast<Slot>(formal.offset),
                      std::min(a.bytes, formal.bytes));
        }
        const uint32_t header[3] = {callee_index, distance, stack[l]};
        std::memcpy(now - kHeader, header, sizeof header);
        frame[l] += distance;
    }
    w.call(mask, callee.first);
}

void run_call(Warp& w, const Inst& i, Mask mask) {
    const Call& call = i.as<Call>();
    w.branch(w.now.mask & ~mask, call.after);
    enter(w, i, mask, call, call.callee);
}

void run_indirect(Warp& w, const Inst& i, Mask mask) {
    const Call& call = i.as<Call>();
    uint64_t target[kLanes];
    std::copy_n(w.get<uint64_t>(i.a), kLanes, target);
    w.branch(w.now.mask & ~mask, call.after);
    while (mask) {
        const int first = __builtin_ctz(mask);
        Mask same = 0;
        for (Mask m = mask; m; m &= m - 1) {
            const int l = __builtin_ctz(m);
            if (target[l] == target[first]) same |= 1u << l;
        }
        mask &= ~same;
        const Program& p = *w.program;
        uint32_t callee = 0;
        for (uint32_t k = 1; k < p.functions.size() && !callee; ++k) {
            if (kFunctionBase + 16ull * p.functions[k].symbol == target[first]) callee = k;
        }
        const bool fits = callee && p.functions[callee].parameters.size() == call.parameters.size() &&
                          p.functions[callee].results.size() == call.results.size();
        if (!fits) {
            w.fault(Kind::trap, i, first, target[first],
                    callee ? "a call through a pointer to a function of another signature"
                           : "a call through a pointer that is no function's");
            w.exit(same);
            continue;
        }
        enter(w, i, same, call, callee);
    }
}

/// Behind a call: results to the caller, its frame and registers back.
void run_return(Warp& w, const Inst& i, Mask mask) {
    const Call& call = i.as<Call>();
    uint32_t* frame = w.out<uint32_t>(special_frame);
    for (Mask m = mask; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        uint8_t* now = lane_memory(w, l) + frame[l];
        uint32_t header[3];
        std::memcpy(header, now - kHeader, sizeof header);
        const Function& callee = w.program->functions[header[0]];
        uint8_t* old = now - header[1];
        uint8_t values[16][16];
        const size_t count = std::min(callee.results.size(), call.results.size());
        for (size_t k = 0; k < count && k < 16; ++k) {
            const Parameter& formal = callee.results[k];
            if (formal.in_register) {
                copy_lane(w, l, false, nullptr, static_cast<Slot>(formal.offset), true, values[k], 0, formal.bytes);
            }
        }
        if (callee.recursive) save_window(w, callee, l, old + w.program->functions[call.caller].frame, true);
        for (size_t k = 0; k < count; ++k) {
            const Parameter& formal = callee.results[k];
            const Actual& a = call.results[k];
            const uint8_t* from = formal.in_register ? values[k % 16] : now + formal.offset;
            copy_lane(w, l, true, from, 0, a.memory, a.memory ? old + a.at : nullptr, a.at,
                      std::min(a.bytes, formal.bytes));
        }
        frame[l] -= header[1];
        w.out<uint32_t>(special_stack)[l] = header[2];
    }
}

Actual actual(Decode& d, const ast::Operand& o, const Parameter* formal, bool result) {
    Actual a;
    if (o.kind == ast::Operand::reg) {
        const Entity e = d.find(o.name);
        if (e.kind == Entity::variable && e.space == Space::local) {
            if (formal && formal->bytes != e.bytes) {
                d.fail("parameter " + formal->name + " has " + std::to_string(formal->bytes) + " bytes, and " + o.name +
                       " has " + std::to_string(e.bytes));
            }
            a.memory = true;
            a.at = static_cast<uint32_t>(e.address);
            a.bytes = static_cast<uint32_t>(e.bytes);
            return a;
        }
    }
    const Type type = formal ? formal->type : Type::b32;
    if (!formal || formal->bytes > 16 || bytes_of(type) != formal->bytes) {
        d.fail("a parameter must be a .param variable here");
    }
    a.at = result ? d.dest(o, type) : d.source(o, type);
    a.bytes = std::max(formal->bytes, 2u);
    return a;
}

void decode_call(Decode& d) {
    size_t n = 0;
    const ast::Operand* results = nullptr;
    const ast::Operand* parameters = nullptr;
    if (d.operands() && d.operand(0).kind == ast::Operand::list) results = &d.operand(n++);
    const ast::Operand& callee = d.operand(n++);
    if (n < d.operands() && d.operand(n).kind == ast::Operand::list) parameters = &d.operand(n++);
    const ast::Operand* prototype = n < d.operands() ? &d.operand(n) : nullptr;
    if (callee.kind != ast::Operand::reg) d.fail("it names no function");
    const Entity e = d.find(callee.name);
    Call call;
    call.caller = d.context.function_index;
    std::vector<Parameter> formal_parameters, formal_results;
    bool known = false;
    if (e.kind == Entity::function && e.index != 0xffffffffu) {
        const Function& f = d.context.program.functions[e.index];
        formal_parameters = f.parameters;
        formal_results = f.results;
        known = true;
        call.callee = e.index;
    } else if (e.kind == Entity::reg && prototype) {
        const auto it = d.context.prototypes.find(prototype->name);
        if (it == d.context.prototypes.end()) d.fail("unknown prototype " + prototype->name);
        auto fill = [&](const std::vector<ast::Variable>& from, std::vector<Parameter>& to) {
            for (const auto& v : from) {
                Parameter p;
                p.name = v.name;
                p.type = v.type;
                p.bytes = static_cast<uint32_t>(v.bytes);
                to.push_back(p);
            }
        };
        // A table of targets (.calltargets) names functions that all look alike.
        if (it->second->targets.empty()) {
            fill(it->second->parameters, formal_parameters);
            fill(it->second->results, formal_results);
            known = true;
        }
    } else if (e.kind != Entity::function) {
        d.fail("unknown function " + callee.name);
    }
    auto gather = [&](const ast::Operand* list, const std::vector<Parameter>& formal, std::vector<Actual>& out,
                      bool result) {
        const size_t count = list ? list->elements.size() : 0;
        if (known && count != formal.size()) {
            d.fail(callee.name + " has " + std::to_string(formal.size()) + (result ? " results" : " parameters") +
                   ", and " + std::to_string(count) + " are given");
        }
        if (count > 4096) d.fail("too many parameters");
        size_t in_registers = 0;
        for (size_t k = 0; k < count; ++k) {
            out.push_back(actual(d, list->elements[k], known ? &formal[k] : nullptr, result));
            in_registers += !out.back().memory || (known && formal[k].in_register);
        }
        if (in_registers && count > 16) d.fail("more than 16 parameters, some of them in registers");
    };
    gather(results, formal_results, call.results, true);
    gather(parameters, formal_parameters, call.parameters, false);

    if (e.kind == Entity::function && e.index == 0xffffffffu) {
        const SystemCall system = system_call(callee.name);
        if (!system) d.fail("the function " + callee.name + " is not defined");
        CallFrame frame;
        for (const auto& [from, to] :
             {std::pair{&call.parameters, &frame.parameters}, {&call.results, &frame.results}}) {
            for (const Actual& a : *from) {
                if (!a.memory) d.fail("parameters of " + callee.name + " must be .param variables");
                to->emplace_back(a.at, a.bytes);
            }
        }
        d.attach(std::move(frame));
        d.inst.run = system;
        return;
    }
    if (e.kind == Entity::reg) {
        if (bytes_of(e.type) != 8) d.fail("the function's address " + callee.name + " is no 64-bit register");
        d.inst.a = e.slot;
        d.inst.run = run_indirect;
    } else {
        d.inst.run = run_call;
    }
    // Its own place is not known yet when the prefix is not written; the pc is.
    call.after = static_cast<uint32_t>(d.context.program.code.size() + d.prefix.size()) + 2;
    d.attach(std::move(call));
    d.flow.kind = Flow::call;
    Inst back;
    back.run = run_return;
    back.side = d.inst.side;
    d.suffix.push_back(back);
}

constexpr std::array kForms = {
    Form{"bra", "[uni]", "label", decode_bra},
    Form{"brx", "idx [uni]", "index, targets", decode_brx},
    Form{"call", "[uni]", "(results), function, (parameters), prototype", decode_call},
    Form{"ret", "[uni]", "", decode_ret},
    Form{"exit", "", "", decode_exit},
    Form{"trap", "", "", decode_trap},
    Form{"brkpt", "", "", decode_trap},
    Form{"pmevent", "[mask]", "a", decode_nothing},
};

}  // namespace

Forms control_forms() { return kForms; }

}  // namespace emu
