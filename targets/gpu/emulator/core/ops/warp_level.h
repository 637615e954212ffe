// What the instructions that work across a warp share: their member masks.
#pragma once
#include <bit>

#include "decode/decode.h"
#include "machine/warp.h"
#include "sanitizer/sanitizer.h"

namespace emu {

/// Bits of Inst::n in this family. The member mask is in Inst::e.
enum : uint16_t {
    everyone = 1,   // the mask is a literal of all lanes
    no_sync = 2,    // the form without .sync: whoever is active
    negated_source = 4,
};

/// Of an instruction of which lanes do not agree on the members, or where some are missing: waits for them, and tells
/// the sanitizer what is wrong. False: the instruction runs again later.
bool members_meet(Warp& warp, const Inst& inst, Mask mask);

/// True once all live members are at this instruction.
inline bool together(Warp& w, const Inst& i, Mask mask) {
    if ((i.n & everyone) && mask == w.live) return true;
    if (i.n & no_sync) return true;
    return members_meet(w, i, mask);
}

/// The mask that all executing lanes name, where they agree. False: they do not.
inline bool uniform_members(const Warp& w, const Inst& i, Mask mask, Mask& members) {
    const uint32_t* named = w.get<uint32_t>(i.e);
    members = named[std::countr_zero(mask)];
    uint32_t different = 0;
    for (int l = 0; l < kLanes; ++l) different |= (named[l] ^ members) & (0u - (mask >> l & 1u));
    return different == 0;
}

/// f(lanes): once for each set of executing lanes that name the same members and are among them. A lane that does not
/// name itself is alone.
template <class F>
inline void each_group(Warp& w, const Inst& i, Mask mask, F f) {
    if (i.n & (everyone | no_sync)) {
        f(mask);
        return;
    }
    Mask agreed;
    if (uniform_members(w, i, mask, agreed) && (mask & ~agreed) == 0) {
        f(mask);
        return;
    }
    const uint32_t* members = w.get<uint32_t>(i.e);
    while (mask) {
        const int first = std::countr_zero(mask);
        Mask same = 0;
        for (Mask m = mask; m; m &= m - 1) {
            const int l = std::countr_zero(m);
            if (members[l] == members[first]) same |= Mask{1} << l;
        }
        Mask group = same & members[first];
        if (!(group >> first & 1)) group = Mask{1} << first;
        f(group);
        mask &= ~group;
    }
}

/// Decodes operand `n` as the member mask.
void decode_members(Decode& d, size_t n);

// Rows of warp_level_forms() that live elsewhere.
void decode_vote(Decode&);         // warp_level_vote.cpp
void decode_match(Decode&);
void decode_elect(Decode&);
void decode_activemask(Decode&);
void decode_redux(Decode&);        // warp_level_redux.cpp
void decode_redux_float(Decode&);
void decode_warp_sync(Decode&);    // warp_level_sync.cpp

}  // namespace emu
