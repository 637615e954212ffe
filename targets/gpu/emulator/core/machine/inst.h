// A decoded instruction, and the words of everything that runs it: lanes, masks, slots.
#pragma once
#include <cstdint>

#include "ptx/ast.h"

namespace emu {

constexpr int kLanes = 32;
using Mask = uint32_t;              // bit l: lane l
constexpr Mask kAll = 0xffffffffu;

/// Where an operand's 32 lanes lie: a byte offset into the warp's registers, or, with bit 31, into the program's
/// constants. A slot holds T[32] for 16, 32, 64 and 128-bit registers, and one Mask for a predicate. 64-byte aligned.
using Slot = uint32_t;
constexpr Slot kConstant = 0x80000000u;
constexpr Slot kNone = 0xffffffffu;  // no operand

struct Warp;
struct Inst;

/// Executes one instruction for the lanes of `mask` (active and not masked by the guard; never 0). The warp's pc
/// already points behind it.
using Handler = void (*)(Warp&, const Inst&, Mask mask);

/// Addressing: address(lane) = base[lane] + imm, base a 64-bit or (flag address32) 32-bit unsigned register.
struct alignas(64) Inst {
    Handler run = nullptr;
    const void* side = nullptr;     // what a family of instructions keeps besides: Decode::attach
    int64_t imm = 0;                // address offset, or what the family wants
    Slot a = kNone, b = kNone, c = kNone;  // sources; `a` is the base of an address
    Slot d = kNone;                 // destination
    Slot e = kNone;                 // second destination, or a fourth source
    Slot guard = kNone;             // a predicate
    uint32_t pc = 0;                // its own index
    uint16_t n = 0;                 // what the family wants (elements of a vector, bytes, ...)
    uint8_t flags = 0;
    Space space = Space::none;

    enum : uint8_t {
        guard_negated = 1,
        block_end = 2,              // the next instruction starts a basic block, or this one branches
        address32 = 4,              // the base register of the address has 32 bits
    };
    template <class T>
    const T& as() const { return *static_cast<const T*>(side); }
};
static_assert(sizeof(Inst) == 64);

}  // namespace emu
