// Tensor maps: the 128 bytes that tell cp.async.bulk.tensor where a tensor lies and which box of it to take. The
// hardware's bits are not published; these are the emulator's own, made by targets/gpu/emulator/tensor_map.py (the
// parameters of cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col) and changed by tensormap.replace:
//
//   at     bytes      what
//   0      8          global address
//   8      1          rank - 1, as tensormap.replace counts it
//   9      1          element type, by the numbers of tensormap.replace (ElementType)
//   10     1          interleave layout: 0 none, 1 16B, 2 32B
//   11     1          swizzle mode: 0 none, 1 32B, 2 64B, 3 128B
//   12     1          fill mode: 0 zeros, 1 NaN
//   13     1          L2 promotion: 0 none, 1 64B, 2 128B, 3 256B
//   14     1          mode: 0 tiled, 1 im2col
//   15     1          bit d: dimension d is 2^32 long
//   16     4 * 8      strides of dimensions 1 to 4, bytes
//   48     5 * 4      lengths of the dimensions, elements
//   68     5 * 2      box, elements
//   78     5 * 1      element strides
//   83     1          zero
//   84     3 * 2      im2col: lower corner of the pixel box, signed, in the order W, H, D
//   90     3 * 2      im2col: upper corner
//   96     2          im2col: channels a pixel
//   98     2          im2col: pixels a column
//   100    28         zero
//
// All zeros is no valid map, but tensormap.replace of every field that a tiled map has makes it one.
#pragma once
#include <cstdint>
#include <string>


namespace emu {

constexpr uint32_t kTensorMapBytes = 128;
constexpr uint32_t kTensorMapAlign = 64;

enum class ElementType : uint8_t { u8, u16, u32, s32, u64, s64, f16, f32, f32_ftz, f64, bf16, tf32, tf32_ftz };
constexpr uint32_t kElementTypes = 13;

uint32_t bytes_of(ElementType type);
bool is_float(ElementType type);

/// The fields that tensormap.replace names.
enum class MapField : uint8_t {
    global_address, rank, box_dim, global_dim, global_stride, element_stride, elemtype, interleave_layout, swizzle_mode,
    fill_mode,
};

/// The bytes of a field (`ordinal`: which dimension): where they are, and how many. `bytes` 0: there is no such one.
struct FieldPlace {
    uint32_t at = 0, bytes = 0;
};
FieldPlace field_place(MapField field, uint32_t ordinal);
/// Writes a field of the map at `map`, as tensormap.replace does. Values that do not fit are kept as invalid ones.
void replace_field(uint8_t* map, MapField field, uint32_t ordinal, uint64_t value);

/// A map, unpacked and found to be one that the driver would make.
struct TensorMap {
    uint64_t address = 0;
    uint32_t rank = 0;
    ElementType type = ElementType::u8;
    uint32_t element_bytes = 1;
    uint32_t swizzle = 0;            // 16-byte chunk index ^= (address >> 7) & swizzle: 0, 1, 3 or 7
    bool fill_nan = false;
    bool im2col = false;
    uint64_t dim[5] = {1, 1, 1, 1, 1};
    uint64_t stride[5] = {};         // bytes; [0] is element_bytes
    uint32_t count[5] = {1, 1, 1, 1, 1};  // tiled: elements that a box has in each dimension: ceil(box / step)
    uint32_t step[5] = {1, 1, 1, 1, 1};   // element strides
    int32_t lower[3] = {}, upper[3] = {}; // im2col: W, H, D
    uint32_t channels = 0, pixels = 0;

    /// Bytes of a row of the box in shared memory, rows of it, and both together.
    uint32_t row_bytes() const { return (im2col ? channels : count[0]) * element_bytes; }
    uint64_t rows() const { return im2col ? pixels : uint64_t{count[1]} * count[2] * count[3] * count[4]; }
    uint64_t box_bytes() const { return row_bytes() * rows(); }
    /// What the swizzle may touch: box_bytes up to a whole line of it.
    uint64_t shared_bytes() const {
        const uint64_t span = swizzle ? 16 * (uint64_t{swizzle} + 1) : 16;
        return (box_bytes() + span - 1) / span * span;
    }
    /// The element that fills what lies outside of the tensor; its low element_bytes count.
    uint64_t fill() const;
};

/// Unpacks 128 bytes. False: it is no valid map, and `why` says what is wrong.
bool unpack(const uint8_t* map, TensorMap& out, std::string& why);

}  // namespace emu
