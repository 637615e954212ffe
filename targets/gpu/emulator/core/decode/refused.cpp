// What is known and out of scope.
#include <array>

#include "decode/form.h"

namespace emu {

std::span<const Refused> refused_opcodes() {
    static const std::array table = {
        Refused{"tex", "textures"}, Refused{"tld4", "textures"}, Refused{"txq", "textures"}, Refused{"istypep", "textures"},
        Refused{"suld", "surfaces"}, Refused{"sust", "surfaces"}, Refused{"sured", "surfaces"}, Refused{"suq", "surfaces"},
        Refused{"vadd*", "video instructions"}, Refused{"vsub*", "video instructions"},
        Refused{"vabsdiff*", "video instructions"}, Refused{"vmin*", "video instructions"},
        Refused{"vmax*", "video instructions"}, Refused{"vavrg*", "video instructions"},
        Refused{"vshl", "video instructions"}, Refused{"vshr", "video instructions"},
        Refused{"vmad", "video instructions"}, Refused{"vset*", "video instructions"},
        Refused{"tcgen05", "tensor memory of sm_100 (tcgen05)"},
        Refused{"clusterlaunchcontrol", "cluster launch control of sm_100"},
        Refused{"multimem", "multicast objects of several GPUs (multimem)"},
    };
    return table;
}

}  // namespace emu
