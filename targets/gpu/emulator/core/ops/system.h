// Functions that PTX calls by name and nobody defines: the system's.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "machine/warp.h"

namespace emu {

/// Where a call's parameters and results lie: offset in the caller's frame (local memory, base special_frame), bytes.
struct CallFrame {
    std::vector<std::pair<uint32_t, uint32_t>> parameters, results;
};

/// inst.as<CallFrame>() says where.
using SystemCall = void (*)(Warp&, const Inst&, Mask);

/// Null if there is no such function.
SystemCall system_call(const std::string& name);

/// Why a function of the system that this emulator knows is not supported; null for any other name.
const char* system_refusal(const std::string& name);

// Those in system_heap.cpp.
void system_malloc(Warp&, const Inst&, Mask);
void system_free(Warp&, const Inst&, Mask);

/// Where a lane's byte at `offset` of the running function's frame lies.
inline uint8_t* frame_bytes(Warp& w, int lane, uint32_t offset) {
    return w.local.host + static_cast<uint64_t>(lane) * w.local_lane + w.get<uint32_t>(special_frame)[lane] + offset;
}

/// Reads the `n`-th parameter of the call, `bytes` of it, for a lane.
inline uint64_t call_parameter(Warp& w, const Inst& i, int lane, size_t n, uint32_t bytes) {
    uint64_t value = 0;
    std::memcpy(&value, frame_bytes(w, lane, i.as<CallFrame>().parameters[n].first), bytes);
    return value;
}

/// Writes the call's result, where it has one.
inline void call_result(Warp& w, const Inst& i, int lane, uint64_t value, uint32_t bytes) {
    const CallFrame& frame = i.as<CallFrame>();
    if (!frame.results.empty()) std::memcpy(frame_bytes(w, lane, frame.results[0].first), &value, bytes);
}

/// The call passes parameters and a result of these sizes, in bytes; else a fault, and false.
bool call_fits(Warp& warp, const Inst& inst, std::initializer_list<uint32_t> parameters, uint32_t result);

}  // namespace emu
