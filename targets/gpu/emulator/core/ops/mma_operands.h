// What mma, wmma and wgmma share: vectors of registers, element types by name, and their waiting for the whole warp.
#pragma once
#include <string>
#include <vector>

#include "decode/decode.h"
#include "machine/launch.h"
#include "numerics/matmul.h"

namespace emu::mma {

/// The registers of operand n: exactly `count`, each of `type`'s size.
std::vector<Slot> sources(Decode& d, size_t n, size_t count, Type type);
std::vector<Slot> dests(Decode& d, size_t n, size_t count, Type type);

/// "m16n8k16"
struct Shape { int m = 0, n = 0, k = 0; };
Shape shape_of(const std::string& word);

/// .rn .rz .rm .rp among the modifiers, as fesetround's; to nearest where there is none.
int rounding_of(const Decode& d);

/// "f16", "bf16", "tf32", "e4m3", "e5m2", "s8", "u8", "s4", "u4"; fails for others.
matmul::Element element_named(Decode& d, const std::string& name);
constexpr uint32_t bits_of(matmul::Element e) { return 128u / static_cast<uint32_t>(matmul::per_row(e)); }

/// True if the whole warp executes the instruction now; else it waits, and the handler returns at once.
inline bool together(Warp& w, const Inst& inst, Mask mask) { return mask == kAll || w.converge(inst, kAll); }

inline void count_flops(Warp& w, const Inst& inst, uint64_t flops) { w.worker->counters.flops[inst.pc] += flops; }

// ---- structured sparsity --------------------------------------------------------------------------------------------

/// How A's elements that are there are found. Units are what the metadata's 2-bit indices count: 2 bytes, or 1.
struct Sparsity {
    matmul::Element element;
    int chunks;               // tiles of A along k, as stored
    uint32_t selector = 0;    // which lanes of four hold the metadata
};

/// The most floats that `expand_sparse` writes of a and of keep: 128 k, 16 rows, four times each.
constexpr int kMostSparse = 128 * 2 * 32;

/// A of 16 rows with its zeros put back: `stored` as expand_a leaves it [k / 2][2][32], a and keep [k][2][32].
void expand_sparse(const Sparsity& s, const float* stored, const uint32_t* metadata, float* a, uint32_t* keep);

}  // namespace emu::mma
