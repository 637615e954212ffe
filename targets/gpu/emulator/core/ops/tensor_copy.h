// The decoders behind the rows of tensor_copy_forms(), which stand in several files, and how they find a map.
#pragma once
#include "machine/tensor_map.h"
#include "ops/bulk_copy.h"

namespace emu {

/// The map at a lane's address, for the async proxy. False after a fault: no such memory, or no valid map.
bool find_map(Warp& w, const Inst& i, int lane, const Where& where, TensorMap& map);

// tensor_copy_map.cpp
void decode_tensormap_replace(Decode&);
void decode_tensormap_copy(Decode&);
void decode_prefetch_tensormap(Decode&);

}  // namespace emu
