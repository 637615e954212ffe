// The decoders behind the rows of load_store_forms(), which stand in several files.
#pragma once

namespace emu {

class Decode;

void decode_ld(Decode&);
void decode_st(Decode&);
void decode_isspacep(Decode&);
void decode_mapa(Decode&);
void decode_getctarank(Decode&);
void decode_prefetch(Decode&);
void decode_line(Decode&);  // applypriority, discard: a line of 128 bytes
void decode_createpolicy(Decode&);
void decode_createpolicy_range(Decode&);
void decode_createpolicy_cvt(Decode&);
void decode_alloca(Decode&);
void decode_stacksave(Decode&);
void decode_stackrestore(Decode&);

}  // namespace emu
