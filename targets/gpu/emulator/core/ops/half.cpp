// The table of f16, f16x2, bf16 and bf16x2 arithmetic.
#include "decode/form.h"
#include "ops/half_lanes.h"

namespace emu {
namespace {

constexpr Form kForms[] = {
    {"add", "[rn] [ftz] [sat] f16|f16x2", "d, a, b", decode_half_arithmetic},
    {"sub", "[rn] [ftz] [sat] f16|f16x2", "d, a, b", decode_half_arithmetic},
    {"mul", "[rn] [ftz] [sat] f16|f16x2", "d, a, b", decode_half_arithmetic},
    {"add", "[rn] bf16|bf16x2", "d, a, b", decode_half_arithmetic},
    {"sub", "[rn] bf16|bf16x2", "d, a, b", decode_half_arithmetic},
    {"mul", "[rn] bf16|bf16x2", "d, a, b", decode_half_arithmetic},
    {"fma", "rn [ftz] [sat|relu] f16|f16x2", "d, a, b, c", decode_half_arithmetic},
    {"fma", "rn [relu] bf16|bf16x2", "d, a, b, c", decode_half_arithmetic},
    {"min", "[ftz] [NaN] f16|f16x2", "d, a, b", decode_half_minmax},
    {"min", "[ftz] [NaN] xorsign abs f16|f16x2", "d, a, b", decode_half_minmax},
    {"max", "[ftz] [NaN] f16|f16x2", "d, a, b", decode_half_minmax},
    {"max", "[ftz] [NaN] xorsign abs f16|f16x2", "d, a, b", decode_half_minmax},
    {"min", "[NaN] bf16|bf16x2", "d, a, b", decode_half_minmax},
    {"min", "[NaN] xorsign abs bf16|bf16x2", "d, a, b", decode_half_minmax},
    {"max", "[NaN] bf16|bf16x2", "d, a, b", decode_half_minmax},
    {"max", "[NaN] xorsign abs bf16|bf16x2", "d, a, b", decode_half_minmax},
    {"abs", "[ftz] f16|f16x2", "d, a", decode_half_sign},
    {"neg", "[ftz] f16|f16x2", "d, a", decode_half_sign},
    {"abs", "bf16|bf16x2", "d, a", decode_half_sign},
    {"neg", "bf16|bf16x2", "d, a", decode_half_sign},
};

}  // namespace

Forms half_forms() { return kForms; }

}  // namespace emu
