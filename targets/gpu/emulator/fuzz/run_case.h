// Everything that the emulator does with a text: parse, print, decode, and launch each kernel.
#pragma once
#include <cstdint>
#include <string>

#include "random.h"

namespace fuzz {

/// How far the cases came; counts.
struct Tally {
    uint64_t cases = 0, parsed = 0, decoded = 0, launches = 0, refused_launches = 0, skipped = 0, clean = 0, findings = 0;
    uint64_t kinds[16] = {};  // launches that ended with a finding of this kind
};

/// Runs one text; what is wrong with it is its result and no failure. Throws std::logic_error for a result that the
/// emulator must never give.
void run_case(const std::string& text, Random& random, Tally& tally);

}  // namespace fuzz
