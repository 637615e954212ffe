// Element-wise reductions in memory: cp.reduce.async.bulk, its tensor form, and red.async.
#pragma once
#include <cstdint>

#include "ptx/ast.h"

namespace emu {

enum class ReduceOp : uint8_t { add, min, max, inc, dec, and_, or_, xor_ };

/// to[k] = op(to[k], from[k]) for the elements in `bytes` bytes; nothing need be aligned. With `atomic` each element is
/// one atomic step against other threads of the host.
using Reducer = void (*)(uint8_t* to, const uint8_t* from, uint64_t bytes, bool atomic);

/// Null if PTX has no such operation. Floats: add rounds to nearest; `flush` (of f32) makes subnormal operands and
/// results zeros of their sign. min and max (f16, bf16) give the number where one is NaN, and take -0 as less than +0.
Reducer reducer(ReduceOp op, Type type, bool flush);

/// "add", "and" and so on; false if the word is none.
bool reduce_op(const char* word, ReduceOp& op);

}  // namespace emu
