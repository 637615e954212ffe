// wmma.load and wmma.store.
#pragma once
#include "decode/decode.h"

namespace emu::wmma {

/// load a|b|c sync aligned row|col SHAPE [space] TYPE
void decode_load(Decode& d);
/// store d sync aligned row|col SHAPE [space] TYPE
void decode_store(Decode& d);

}  // namespace emu::wmma
