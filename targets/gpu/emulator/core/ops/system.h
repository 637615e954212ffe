// Functions that PTX calls by name and nobody defines: the system's.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "machine/warp.h"

namespace emu {

/// Where a call's parameters and results lie: offset in the caller's frame (of local memory, base special_frame), bytes.
struct CallFrame {
    std::vector<std::pair<uint32_t, uint32_t>> parameters, results;
};

/// inst.as<CallFrame>() says where.
using SystemCall = void (*)(Warp&, const Inst&, Mask);

/// Null if there is no such function.
SystemCall system_call(const std::string& name);

}  // namespace emu
