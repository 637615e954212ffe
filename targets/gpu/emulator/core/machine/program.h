// A kernel ready to run: its instructions and those of every function it can reach, and what a launch must provide.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "machine/inst.h"

namespace emu {

/// Where an instruction came from, and what it is called.
struct Origin {
    uint32_t line = 0;                  // of the PTX text
    uint32_t file = 0, file_line = 0;   // of the source, by .loc; 0: none
    uint32_t function = 0;              // index into Program::functions
    uint32_t opcode = 0;                // index into Program::opcodes
};

/// A kernel parameter or one of a device function.
struct Parameter {
    std::string name;
    Type type = Type::b8;      // b8 with bytes > 1: a struct by value
    uint32_t bytes = 0, align = 1;
    uint64_t offset = 0;       // in the parameter bytes of a launch, or in the callee's local frame
    bool pointer = false;
    bool in_register = false;  // of a device function: `offset` is its slot
};

struct Function {
    std::string name;
    uint32_t first = 0, end = 0;       // its instructions
    uint32_t registers = 0, registers_end = 0;  // its window of the warp's register bytes
    uint32_t frame = 0;                // bytes of local memory a thread's call takes: .local, .param, of every scope
    bool recursive = false;            // may be on the call stack twice
    uint32_t saved = 0;                // recursive: bytes a lane that its window takes when saved, a multiple of 16
    std::vector<std::pair<Slot, uint32_t>> window;  // recursive: its registers and their bytes a lane; 0: a predicate
    uint32_t symbol = 0;               // index in the module's functions; function addresses are made of it
    std::vector<Parameter> parameters, results;
};

/// How a pc competes with others of the same warp: the smallest runs first, so that lanes meet again where their
/// paths do. `loop_end` is the order of a lane that came back to this block by a back edge and waits for the others.
struct BlockOrder {
    uint32_t order = 0;
    uint32_t loop_end = 0;
};

struct Program {
    std::string name;                  // of the kernel
    std::vector<Inst> code;
    std::vector<Origin> origins;       // by pc
    std::vector<uint32_t> block_of;    // by pc
    std::vector<BlockOrder> blocks;
    std::vector<std::string> opcodes;  // "add.s32"
    std::vector<Function> functions;   // [0] is the kernel
    std::vector<Parameter> parameters;
    uint64_t parameter_bytes = 0;
    std::vector<uint8_t> constants;    // what constant slots hold; 64-byte aligned copy at run time
    uint32_t register_bytes = 0;       // of a warp, special registers included
    // The slots that an instruction reads and writes, for the sanitizer: those of pc are
    // operands[operand_first[pc] .. operand_first[pc + 1]); written ones come with bit 30 set.
    std::vector<uint32_t> operand_first;
    std::vector<Slot> operands;
    std::vector<uint32_t> targets;     // of brx: pcs; the instruction holds first (imm) and number (n)
    static constexpr Slot kWritten = 0x40000000u;

    uint64_t shared_bytes = 0;         // static; dynamic shared memory begins behind it, aligned to dynamic_align
    uint32_t dynamic_align = 1;
    bool dynamic_shared = false;
    bool reserved_shared = false;      // it asks where the system's shared memory lies, and may use it (cooperative groups do)
    uint32_t local_bytes = 0;          // of a thread, calls included; recursion adds Options::stack_bytes
    bool recursive = false;            // or calls through pointers
    uint32_t maxntid[3] = {0, 0, 0}, reqntid[3] = {0, 0, 0}, cluster[3] = {0, 0, 0};
    std::vector<std::shared_ptr<const void>> sides;  // keeps Inst::side alive
    std::vector<std::string> files;    // by .file index
};

// Special slots at the start of every warp's registers; 128 bytes each unless said otherwise.
enum Special : Slot {
    special_frame = 0,           // u32: the lane's frame in local memory
    special_shared = 128,        // u32: rank of the CTA in the cluster << 24, the shared address 0
    special_tid_x = 256, special_tid_y = 384, special_tid_z = 512,  // u32
    special_laneid = 640,        // u32
    special_sink = 768,          // where results nobody wants go, 512 bytes
    special_carry = 1280,        // a Mask: the condition code CC.CF
    special_stack = 1408,        // u32: bytes of the lane's local memory, from its end, that alloca took
    special_end = 1536,
};

}  // namespace emu
