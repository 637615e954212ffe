// Special registers, as operands of any instruction.
#pragma once
#include <string>

#include "decode/decode.h"

namespace emu {

/// Makes `read` the instruction that reads special register `name` into read.d, a slot of read.n bytes a lane (1
/// stands for 2; 0: a predicate). False if there is no such register; fails where it cannot be read with that size:
/// registers of 32 bits with 16 or 32, those of 64 bits with 64, and %gridid, once of 32 bits, with both.
bool special_register(Decode& decode, const std::string& name, Inst& read);

}  // namespace emu
