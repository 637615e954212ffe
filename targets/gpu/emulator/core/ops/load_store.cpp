// The forms of ld, st, ldu and of what else names memory without moving data; their loads are in load_store_ld.cpp,
// their stores in load_store_st.cpp, the rest in load_store_address.cpp.
#include "ops/load_store.h"

#include "decode/decode.h"

#define TYPES "b8|b16|b32|b64|b128|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64"
#define VECTOR "[v2|v4|v8] "
#define SHARED "shared|shared::cta|shared::cluster"
#define LEVEL1 "[L1::evict_normal|L1::evict_unchanged|L1::evict_first|L1::evict_last|L1::no_allocate] "
#define LEVEL2 "[L2::evict_normal|L2::evict_first|L2::evict_last] "
#define HINT "[L2::cache_hint] "
#define FETCH "[L2::64B|L2::128B|L2::256B] "
#define SCOPE "cta|cluster|gpu|sys "
#define PRIMARY "L2::evict_last|L2::evict_normal|L2::evict_first|L2::evict_unchanged "
#define SECONDARY "[L2::evict_first|L2::evict_unchanged] "

namespace emu {

Forms load_store_forms() {
    static const Form table[] = {
        {"ld",
         "[weak] [const|global|local|param|param::entry|param::func|" SHARED "] [ca|cg|cs|lu|cv] " HINT FETCH VECTOR TYPES,
         "d, [a], policy", decode_ld},
        {"ld", "[weak] [global] " LEVEL1 LEVEL2 HINT FETCH VECTOR TYPES, "d, [a], policy", decode_ld},
        {"ld", "volatile [global|" SHARED "] " FETCH VECTOR TYPES, "d, [a]", decode_ld},
        {"ld", "[global|" SHARED "] volatile " VECTOR TYPES, "d, [a]", decode_ld},
        {"ld", "relaxed|acquire " SCOPE "[global|" SHARED "] " LEVEL1 LEVEL2 HINT FETCH VECTOR TYPES, "d, [a], policy",
         decode_ld},
        {"ld", "mmio relaxed sys [global] " TYPES, "d, [a]", decode_ld},
        {"ld", "global [ca|cg|cs] nc " HINT FETCH VECTOR TYPES, "d, [a], policy", decode_ld},
        {"ld", "global nc " LEVEL1 LEVEL2 HINT FETCH VECTOR TYPES, "d, [a], policy", decode_ld},
        {"ldu", "[global] [v2|v4] " TYPES, "d, [a]", decode_ld},

        {"st", "[weak] [global|local|param|param::func|" SHARED "] [wb|cg|cs|wt] " HINT VECTOR TYPES, "[a], b, policy",
         decode_st},
        {"st", "[weak] [global] " LEVEL1 LEVEL2 HINT VECTOR TYPES, "[a], b, policy", decode_st},
        {"st", "volatile [global|" SHARED "] " VECTOR TYPES, "[a], b", decode_st},
        {"st", "[global|" SHARED "] volatile " VECTOR TYPES, "[a], b", decode_st},
        {"st", "relaxed|release " SCOPE "[global|" SHARED "] " LEVEL1 LEVEL2 HINT VECTOR TYPES, "[a], b, policy",
         decode_st},
        {"st", "mmio relaxed sys [global] " TYPES, "[a], b", decode_st},

        {"isspacep", "const|global|local|shared|shared::cta|shared::cluster|param|param::entry", "p, a", decode_isspacep},
        {"mapa", "[shared::cluster] u32|u64", "d, a, b", decode_mapa},
        {"getctarank", "[shared::cluster] u32|u64", "d, a", decode_getctarank},

        {"prefetch", "[global|local] L1|L2", "[a]", decode_prefetch},
        {"prefetch", "[global] L2::evict_last|L2::evict_normal", "[a]", decode_prefetch},
        {"prefetch", "[const|param] tensormap", "[a]", decode_prefetch},
        {"prefetchu", "L1", "[a]", decode_prefetch},
        {"applypriority", "[global] L2::evict_normal", "[a], 128", decode_line},
        {"discard", "[global] L2", "[a], 128", decode_line},
        {"createpolicy", "fractional " PRIMARY SECONDARY "b64", "d, fraction", decode_createpolicy},
        {"createpolicy", "range [global] " PRIMARY SECONDARY "b64", "d, [a], primary, total", decode_createpolicy_range},
        {"createpolicy", "cvt L2 b64", "d, a", decode_createpolicy_cvt},

        {"alloca", "u32|u64", "d, bytes, align", decode_alloca},
        {"stacksave", "u32|u64", "d", decode_stacksave},
        {"stackrestore", "u32|u64", "a", decode_stackrestore},
    };
    return table;
}

}  // namespace emu
