// Arithmetic with the condition code CC.CF, for numbers of several words.
#pragma once
#include "decode/decode.h"

namespace emu {

// Decodes of add, sub and mad that read the carry flag of each thread (In) and write it (Out). After a subtraction it
// is the carry of a + ~b + 1, no borrow: chains cannot tell, and code that mixes both gets what the hardware gives.
template <bool In, bool Out> void carry_add(Decode& d);
template <bool In, bool Out> void carry_sub(Decode& d);
template <bool In, bool Out> void carry_mad(Decode& d);

extern template void carry_add<false, true>(Decode&);
extern template void carry_add<true, false>(Decode&);
extern template void carry_add<true, true>(Decode&);
extern template void carry_sub<false, true>(Decode&);
extern template void carry_sub<true, false>(Decode&);
extern template void carry_sub<true, true>(Decode&);
extern template void carry_mad<false, true>(Decode&);
extern template void carry_mad<true, false>(Decode&);
extern template void carry_mad<true, true>(Decode&);

}  // namespace emu
