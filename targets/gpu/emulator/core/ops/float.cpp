// The table of f32 and f64 arithmetic; the decoders are in the files named in float_lanes.h.
#include "decode/form.h"
#include "ops/float_lanes.h"

namespace emu {
namespace {

constexpr Form kForms[] = {
    {"add", "[rn|rz|rm|rp] [ftz] [sat] f32", "d, a, b", decode_add32},
    {"sub", "[rn|rz|rm|rp] [ftz] [sat] f32", "d, a, b", decode_add32},
    {"mul", "[rn|rz|rm|rp] [ftz] [sat] f32", "d, a, b", decode_add32},
    {"fma", "rn|rz|rm|rp [ftz] [sat] f32", "d, a, b, c", decode_add32},
    {"mad", "rn|rz|rm|rp [ftz] [sat] f32", "d, a, b, c", decode_add32},
    {"div", "rn|rz|rm|rp [ftz] f32", "d, a, b", decode_div32},
    {"rcp", "rn|rz|rm|rp [ftz] f32", "d, a", decode_div32},
    {"sqrt", "rn|rz|rm|rp [ftz] f32", "d, a", decode_div32},
    {"add", "[rn|rz|rm|rp] f64", "d, a, b", decode_arithmetic64},
    {"sub", "[rn|rz|rm|rp] f64", "d, a, b", decode_arithmetic64},
    {"mul", "[rn|rz|rm|rp] f64", "d, a, b", decode_arithmetic64},
    {"fma", "rn|rz|rm|rp f64", "d, a, b, c", decode_arithmetic64},
    {"mad", "rn|rz|rm|rp f64", "d, a, b, c", decode_arithmetic64},
    {"div", "rn|rz|rm|rp f64", "d, a, b", decode_arithmetic64},
    {"rcp", "rn|rz|rm|rp f64", "d, a", decode_arithmetic64},
    {"sqrt", "rn|rz|rm|rp f64", "d, a", decode_arithmetic64},
    {"min", "[ftz] [NaN] f32", "d, a, b[, c]", decode_minmax32},
    {"max", "[ftz] [NaN] f32", "d, a, b[, c]", decode_minmax32},
    {"min", "[ftz] [NaN] xorsign abs f32", "d, a, b", decode_minmax32},
    {"max", "[ftz] [NaN] xorsign abs f32", "d, a, b", decode_minmax32},
    {"min", "[ftz] [NaN] abs f32", "d, a, b, c", decode_minmax32},  // three operands: PTX 8.6, sm_100
    {"max", "[ftz] [NaN] abs f32", "d, a, b, c", decode_minmax32},
    {"min", "f64", "d, a, b", decode_minmax64},
    {"max", "f64", "d, a, b", decode_minmax64},
    {"abs", "[ftz] f32", "d, a", decode_sign32},
    {"neg", "[ftz] f32", "d, a", decode_sign32},
    {"abs", "f64", "d, a", decode_sign64},
    {"neg", "f64", "d, a", decode_sign64},
    {"copysign", "f32|f64", "d, a, b", decode_copysign},
    // PTX 8.6 and later, sm_100 and later in hardware.
    {"add", "[rn|rz|rm|rp] [ftz] f32x2", "d, a, b", decode_arithmetic32x2},
    {"sub", "[rn|rz|rm|rp] [ftz] f32x2", "d, a, b", decode_arithmetic32x2},
    {"mul", "[rn|rz|rm|rp] [ftz] f32x2", "d, a, b", decode_arithmetic32x2},
    {"fma", "rn|rz|rm|rp [ftz] f32x2", "d, a, b, c", decode_arithmetic32x2},
    {"add", "[rn|rz|rm|rp] [sat] f32 f16|bf16", "d, a, c", decode_mixed},
    {"sub", "[rn|rz|rm|rp] [sat] f32 f16|bf16", "d, a, c", decode_mixed},
    {"fma", "rn|rz|rm|rp [sat] f32 f16|bf16", "d, a, b, c", decode_mixed},
};

}  // namespace

Forms float_forms() { return kForms; }

}  // namespace emu
