// The rows of a tensor map's box: where each lies in global memory and in shared memory, what of it the tensor has, and
// how the swizzle spreads it. A row is what follows dimension 0: a box's, or a pixel's channels.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "machine/tensor_map.h"

namespace emu {

constexpr uint32_t kMaxRowBytes = 256 * 8;

/// Where a copy starts: the coordinates, and of im2col the offsets (W, H, D) that a filter's place adds to them.
struct BoxStart {
    int32_t coordinate[5] = {};
    uint16_t offset[3] = {};
};

struct BoxRow {
    uint64_t at = 0;          // byte in the box
    uint64_t address = 0;     // global address of the first byte that the tensor has
    uint32_t skip = 0;        // bytes before it
    uint32_t bytes = 0;       // that the tensor has; 0: none
};

/// Calls f(row) for all rows of the box, in the order of shared memory, until it returns false.
template <class F>
void each_row(const TensorMap& t, const BoxStart& start, F f) {
    // What dimension 0 has is the same in all rows.
    const int64_t first = start.coordinate[0], length = t.im2col ? t.channels : t.count[0];
    const int64_t low = std::max<int64_t>(first, 0);
    const int64_t high = std::min<int64_t>(first + length, static_cast<int64_t>(t.dim[0]));
    const uint32_t skip = high > low ? static_cast<uint32_t>(low - first) * t.element_bytes : 0;
    const uint32_t bytes = high > low ? static_cast<uint32_t>(high - low) * t.element_bytes : 0;
    const uint64_t origin = t.address + static_cast<uint64_t>(low) * t.element_bytes;
    const uint32_t pitch = t.row_bytes();
    BoxRow row;
    // One row: the coordinates of dimensions 1 to 4.
    const auto visit = [&](const int64_t* x) {
        bool inside = bytes != 0;
        uint64_t address = origin;
        for (uint32_t d = 1; d < 5; ++d) {
            inside &= x[d] >= 0 && x[d] < static_cast<int64_t>(t.dim[d]);
            address += static_cast<uint64_t>(x[d]) * t.stride[d];
        }
        row.address = address;
        row.skip = inside ? skip : 0;
        row.bytes = inside ? bytes : 0;
        const bool go_on = f(row);
        row.at += pitch;
        return go_on;
    };
    int64_t x[5] = {first};
    for (uint32_t d = 1; d < 5; ++d) x[d] = start.coordinate[d];
    if (!t.im2col) {
        const int64_t c[5] = {x[0], x[1], x[2], x[3], x[4]};
        for (uint32_t k4 = 0; k4 < t.count[4]; ++k4) {
            x[4] = c[4] + k4 * t.step[4];
            for (uint32_t k3 = 0; k3 < t.count[3]; ++k3) {
                x[3] = c[3] + k3 * t.step[3];
                for (uint32_t k2 = 0; k2 < t.count[2]; ++k2) {
                    x[2] = c[2] + k2 * t.step[2];
                    for (uint32_t k1 = 0; k1 < t.count[1]; ++k1) {
                        x[1] = c[1] + k1 * t.step[1];
                        if (!visit(x)) return;
                    }
                }
            }
        }
        return;
    }
    // Pixels in the box that the corners bound, W first, then H, D and at last the images. The offsets move what is
    // read, not the box.
    const uint32_t batch = t.rank - 1;
    for (uint32_t p = 0; p < t.pixels; ++p) {
        int64_t moved[5] = {x[0], x[1], x[2], x[3], x[4]};
        for (uint32_t d = 1; d < batch; ++d) moved[d] += start.offset[d - 1];
        if (!visit(moved)) return;
        for (uint32_t d = 1; d <= batch; ++d) {
            x[d] += t.step[d];
            if (d == batch || x[d] <= static_cast<int64_t>(t.dim[d]) - 1 + t.upper[d - 1]) break;
            x[d] = t.lower[d - 1];
        }
    }
}

/// Where byte `at` of a box lies behind the box's beginning, which is at a multiple of 128 in shared memory.
inline uint64_t swizzled(const TensorMap& t, uint64_t shared_address, uint64_t at) {
    const uint64_t a = shared_address + at;
    return (a ^ (((a >> 7) & t.swizzle) << 4)) - shared_address;
}

/// A whole row (a multiple of 16 bytes) into the box at `box`.
inline void put_row(const TensorMap& t, uint8_t* box, uint64_t shared_address, uint64_t at, const uint8_t* row,
                    uint32_t bytes) {
    if (t.swizzle == 0) {
        std::memcpy(box + at, row, bytes);
        return;
    }
    for (uint32_t k = 0; k < bytes; k += 16) std::memcpy(box + swizzled(t, shared_address, at + k), row + k, 16);
}

inline void get_row(const TensorMap& t, const uint8_t* box, uint64_t shared_address, uint64_t at, uint8_t* row,
                    uint32_t bytes) {
    for (uint32_t k = 0; k < bytes; k += 16) std::memcpy(row + k, box + swizzled(t, shared_address, at + k), 16);
}

/// Calls f(offset, bytes) for the pieces of shared memory that hold [at, at + bytes) of the box.
template <class F>
void each_piece(const TensorMap& t, uint64_t shared_address, uint64_t at, uint64_t bytes, F f) {
    const uint64_t line = 16 * (uint64_t{t.swizzle} + 1);
    if (t.swizzle == 0 || (at % line == 0 && bytes % line == 0)) {
        if (bytes) f(at, bytes);  // whole lines are permuted in themselves
        return;
    }
    for (uint64_t end = at + bytes; at < end;) {
        const uint64_t next = std::min(end, (at / 16 + 1) * 16);
        f(swizzled(t, shared_address, at), next - at);
        at = next;
    }
}

}  // namespace emu
