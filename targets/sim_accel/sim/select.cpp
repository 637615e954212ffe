// Which kernel variant runs here.
#include <cstring>

#include "kernels.h"

namespace sim {

namespace baseline {
extern const Kernels kTable;
}
#ifdef SIM_X86_VARIANTS
namespace avx2 {
extern const Kernels kTable;
}
namespace avx512 {
extern const Kernels kTable;
}
#endif

const Kernels* select_kernels(const char* name) {
    auto wanted = [&](const char* v) { return !*name || std::strcmp(name, v) == 0; };
#ifdef SIM_X86_VARIANTS
    __builtin_cpu_init();
    if (wanted("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        return &avx512::kTable;
    if (wanted("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2::kTable;
#endif
    return wanted("baseline") ? &baseline::kTable : nullptr;
}

}  // namespace sim
