// The forms that instructions take: what is supported is exactly what these tables say, and the documentation is made
// from them.
#pragma once
#include <span>

namespace emu {

class Decode;

/// One row: an opcode and the modifiers that may follow, and how its operands become an Inst.
///
/// `modifiers` are words in order, separated by blanks. A word is alternatives split by `|`; in brackets it may be
/// left out: "[rn|rz|rm|rp] [ftz] [sat] f32". The decoder takes the first row that fits all of an instruction's
/// modifiers. "global|shared::cta" are single modifiers as PTX writes them between dots.
struct Form {
    const char* opcode;
    const char* modifiers;
    const char* operands;      // for the documentation: "d, a, b"
    void (*decode)(Decode&);
};

using Forms = std::span<const Form>;

/// All tables, in the order they are searched.
std::span<const Forms> all_forms();

/// Opcodes that are known and out of scope, with the reason: {"tex", "textures"}, ...
struct Refused {
    const char* opcode;
    const char* reason;
};
std::span<const Refused> refused_opcodes();

// Each is defined in the file of ops/ of the same name.
Forms integer_forms();        // add sub mul mad mul24 mad24 div rem abs neg min max sad addc subc madc dp4a dp2a, vector mins
Forms bits_forms();           // and or xor not cnot shl shr shf popc clz brev bfind bfe bfi bmsk fns lop3 prmt szext
Forms compare_forms();        // setp set selp slct testp (integers and floats)
Forms move_forms();           // mov (all forms), cvta, special registers
Forms control_forms();        // bra brx call ret exit trap brkpt nop pmevent
Forms float_forms();          // f32 and f64: add sub mul fma mad div rcp sqrt rsqrt abs neg min max copysign, f32x2
Forms transcendental_forms(); // sin cos ex2 lg2 tanh and approximations
Forms half_forms();           // f16 f16x2 bf16 bf16x2
Forms convert_forms();        // cvt, cvt.pack
Forms load_store_forms();     // ld st ldu prefetch isspacep mapa getctarank applypriority discard createpolicy ...
Forms atomic_forms();         // atom red
Forms barrier_forms();        // bar barrier barrier.cluster membar fence griddepcontrol setmaxnreg nanosleep
Forms warp_level_forms();     // shfl vote match redux activemask elect bar.warp.sync
Forms mbarrier_forms();
Forms async_copy_forms();     // cp.async and its groups, st.async, red.async
Forms bulk_copy_forms();      // cp.async.bulk, cp.reduce.async.bulk, prefetch
Forms tensor_copy_forms();    // cp.async.bulk.tensor, tensormap.replace, fence.proxy.tensormap
Forms matrix_load_forms();    // ldmatrix stmatrix movmatrix
Forms mma_forms();            // mma mma.sp
Forms wmma_forms();
Forms wgmma_forms();

}  // namespace emu
