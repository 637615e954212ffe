// The fragments of wmma: which registers hold which tiles of 8 rows of 16 bytes.
//
// A's tiles go by 16 rows, then along k, then by 8 rows; B's by 8 columns, then along k, as mma's operands do for each
// 16 by 8 of the result. Fragments of f16 have eight registers whatever they need; the tiles repeat. Accumulators go by
// 16 rows, 8 columns, 8 rows, and column within a pair.
#pragma once
#include "ops/mma_operands.h"

namespace emu::wmma {

enum class Part : uint8_t { a, b, c };

struct Fragment {
    Part part = Part::a;
    bool column_major = false;
    int rows = 0, columns = 0;   // of the matrix
    int bits = 16;               // of an element in memory
    int registers = 0;           // of the fragment
    Type type = Type::b32;       // of a register

    int blocks() const { return (part == Part::b ? columns : rows) / 8; }
    int chunks() const {
        return part == Part::c ? 1 : (part == Part::b ? rows : columns) * bits / (bits == 64 ? 256 : 128);
    }
    /// A and B: the register that holds a tile (of f16: the first).
    int tile(int block, int chunk) const {
        const int pair = part == Part::a && blocks() > 1 ? 2 : 1;
        return (block / pair * chunks() + chunk) * pair + block % pair;
    }
    /// C: the register of the even column of a block of 8 rows and 8 columns.
    int sum(int row_block, int column_block) const {
        const int pair = rows > 8 ? 2 : 1, each = bits == 16 ? 1 : 2;
        return (((row_block / pair) * (columns / 8) + column_block) * pair + row_block % pair) * each;
    }
};

/// `type` as wmma names it, shape as in "m16n16k16". Fails where there is no such fragment.
Fragment fragment_of(Decode& d, Part part, const std::string& shape, const std::string& type);

}  // namespace emu::wmma
