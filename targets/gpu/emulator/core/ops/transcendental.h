// The decoders of the approximate functions that are not beside their table.
#pragma once
#include "decode/form.h"
#include "ops/float_lanes.h"

namespace emu {

void decode_half_approx(Decode&);  // transcendental_half.cpp: ex2 and tanh of f16, f16x2, bf16, bf16x2

}  // namespace emu
