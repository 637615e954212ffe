// Which row of the form tables an instruction fits.
#pragma once
#include <string>
#include <vector>

#include "decode/form.h"
#include "ptx/ast.h"

namespace emu {

/// The first row that fits all modifiers, and the word chosen at each of its places; null if none does.
const Form* match(const ast::Instruction& instruction, std::vector<std::string>& words);

/// Why none does: unknown, out of scope, or what forms there are.
std::string no_match(const ast::Instruction& instruction);

}  // namespace emu
