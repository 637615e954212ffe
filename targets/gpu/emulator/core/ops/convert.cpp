// The table of cvt and cvt.pack: what ptxas 13.0 takes, but for stochastic rounding (.rs), which sm_100a alone has.
#include "ops/convert.h"
#include "decode/form.h"

namespace emu {
namespace {

#define INTEGERS "u8|s8|u16|s16|u32|s32|u64|s64"
#define WIDE_INTEGERS "u16|s16|u32|s32|u64|s64"

constexpr Form kForms[] = {
    // Integers; sat where the destination does not hold all of the source.
    {"cvt", INTEGERS " " INTEGERS, "d, a", decode_convert},
    {"cvt", "sat u8 s8|" WIDE_INTEGERS, "d, a", decode_convert},
    {"cvt", "sat s8 u8|" WIDE_INTEGERS, "d, a", decode_convert},
    {"cvt", "sat u16 s8|s16|u32|s32|u64|s64", "d, a", decode_convert},
    {"cvt", "sat s16 u16|u32|s32|u64|s64", "d, a", decode_convert},
    {"cvt", "sat u32 s8|s16|s32|u64|s64", "d, a", decode_convert},
    {"cvt", "sat s32 u32|u64|s64", "d, a", decode_convert},
    {"cvt", "sat u64 s8|s16|s32|s64", "d, a", decode_convert},
    {"cvt", "sat s64 u64", "d, a", decode_convert},
    // Floats to integers.
    {"cvt", "rni|rzi|rmi|rpi [ftz] [sat] " INTEGERS " f32", "d, a", decode_convert},
    {"cvt", "rni|rzi|rmi|rpi [sat] " INTEGERS " f16|f64", "d, a", decode_convert},
    {"cvt", "rni|rzi|rmi|rpi " WIDE_INTEGERS " bf16", "d, a", decode_convert},
    // Integers to floats.
    {"cvt", "rn|rz|rm|rp [ftz] [sat] f32 " INTEGERS, "d, a", decode_convert},
    {"cvt", "rn|rz|rm|rp [sat] f16|f64 " INTEGERS, "d, a", decode_convert},
    {"cvt", "rn|rz|rm|rp bf16 " WIDE_INTEGERS, "d, a", decode_convert},
    // Floats to shorter floats.
    {"cvt", "rn|rz|rm|rp [ftz] [sat] f16 f32", "d, a", decode_convert},
    {"cvt", "rn|rz|rm|rp [ftz] [sat] f32 f64", "d, a", decode_convert},
    {"cvt", "rn|rz|rm|rp [sat] f16 f64", "d, a", decode_convert},
    {"cvt", "rn|rz|rm|rp [ftz] bf16 f32", "d, a", decode_convert},
    {"cvt", "rn|rz|rm|rp bf16 f64", "d, a", decode_convert},
    {"cvt", "[rn|rz|rm|rp] bf16 f16", "d, a", decode_convert},
    {"cvt", "[rn|rz|rm|rp] f16 bf16", "d, a", decode_convert},
    // To longer floats and to integral values.
    {"cvt", "[ftz] [sat] f32 f16", "d, a", decode_convert},
    {"cvt", "[ftz] [sat] f64 f32", "d, a", decode_convert},
    {"cvt", "[sat] f64 f16", "d, a", decode_convert},
    {"cvt", "[rn|rz|rm|rp] [ftz] f32 bf16", "d, a", decode_convert},
    {"cvt", "[rn|rz|rm|rp] f64 bf16", "d, a", decode_convert},
    {"cvt", "[rni|rzi|rmi|rpi] [ftz] [sat] f32 f32", "d, a", decode_convert},
    {"cvt", "[rni|rzi|rmi|rpi] [sat] f16 f16", "d, a", decode_convert},
    {"cvt", "[rni|rzi|rmi|rpi] [sat] f64 f64", "d, a", decode_convert},
    {"cvt", "[rni|rzi|rmi|rpi] bf16 bf16", "d, a", decode_convert},
    // Halves with relu and satfinite, and pairs of them.
    {"cvt", "rn|rz relu [satfinite] f16|bf16 f32", "d, a", decode_convert_half},
    {"cvt", "rn|rz satfinite [relu] f16|bf16 f32", "d, a", decode_convert_half},
    {"cvt", "rn|rz [relu] [satfinite] f16x2|bf16x2 f32", "d, a, b", decode_convert_half},
    {"cvt", "rn|rz satfinite relu f16x2|bf16x2 f32", "d, a, b", decode_convert_half},
    {"cvt", "rna [satfinite] tf32 f32", "d, a", decode_convert_tf32},
    {"cvt", "rn|rz [relu] [satfinite] tf32 f32", "d, a", decode_convert_tf32},
    {"cvt", "rn|rz satfinite relu tf32 f32", "d, a", decode_convert_tf32},
    // Pairs of narrow floats; those of 6 and 4 bits and ue8m0 are PTX 8.6 and sm_100a.
    {"cvt", "rn satfinite [relu] e4m3x2|e5m2x2|e2m1x2|e2m3x2|e3m2x2 f32", "d, a, b", decode_convert_narrow},
    {"cvt", "rn relu satfinite e4m3x2|e5m2x2|e2m1x2|e2m3x2|e3m2x2 f32", "d, a, b", decode_convert_narrow},
    {"cvt", "rn satfinite [relu] e4m3x2|e5m2x2|e2m1x2 f16x2", "d, a", decode_convert_narrow},
    {"cvt", "rn relu satfinite e4m3x2|e5m2x2|e2m1x2 f16x2", "d, a", decode_convert_narrow},
    {"cvt", "rz|rp [satfinite] ue8m0x2 f32", "d, a, b", decode_convert_narrow},
    {"cvt", "rz|rp [satfinite] ue8m0x2 bf16x2", "d, a", decode_convert_narrow},
    {"cvt", "rn [relu] f16x2 e4m3x2|e5m2x2|e2m1x2|e2m3x2|e3m2x2", "d, a", decode_convert_widen},
    {"cvt", "rn bf16x2 ue8m0x2", "d, a", decode_convert_widen},
    {"cvt", "pack sat u16|s16 s32", "d, a, b", decode_convert_pack},
    {"cvt", "pack sat u8|s8|u4|s4|u2|s2 s32 b32", "d, a, b, c", decode_convert_pack},
};

#undef INTEGERS
#undef WIDE_INTEGERS

}  // namespace

Forms convert_forms() { return kForms; }

}  // namespace emu
