// Reading and changing the 128 bytes of a tensor map. See tensor_map.h for the layout.
#include "machine/tensor_map.h"

#include <algorithm>
#include <cstring>

namespace emu {

namespace {

// Where the fields are.
constexpr uint32_t kAddress = 0, kRank = 8, kType = 9, kInterleave = 10, kSwizzle = 11, kFill = 12, kPromotion = 13,
                   kMode = 14, kDimHigh = 15, kStrides = 16, kDims = 48, kBox = 68, kSteps = 78, kLower = 84,
                   kUpper = 90, kChannels = 96, kPixels = 98, kEnd = 100;

template <class T>
T load(const uint8_t* p) {
    T value;
    std::memcpy(&value, p, sizeof(T));
    return value;
}

template <class T>
void store(uint8_t* p, T value) { std::memcpy(p, &value, sizeof(T)); }

/// For fields narrower than what the instruction gives: too large stays too large.
template <class T>
T clamped(uint64_t value) {
    constexpr uint64_t most = static_cast<T>(~T{0});
    return static_cast<T>(std::min(value, most));
}

std::string of(const char* what, uint64_t value) { return std::string(what) + " " + std::to_string(value); }

bool unpack_tiled(const uint8_t* map, TensorMap& t, std::string& why) {
    for (uint32_t d = 0; d < t.rank; ++d) {
        const uint32_t box = load<uint16_t>(map + kBox + 2 * d), step = t.step[d];
        if (box == 0 || box > 256) {
            why = of("the box is", box) + of(" long in dimension", d) + ", not 1 to 256";
            return false;
        }
        t.count[d] = (box + step - 1) / step;
    }
    return true;
}

bool unpack_im2col(const uint8_t* map, TensorMap& t, std::string& why) {
    if (t.rank < 3) {
        why = of("an im2col map has rank 3 to 5, not", t.rank);
        return false;
    }
    const int32_t limit = t.rank == 3 ? 32768 : t.rank == 4 ? 128 : 16;
    for (uint32_t d = 0; d + 2 < t.rank; ++d) {
        t.lower[d] = load<int16_t>(map + kLower + 2 * d);
        t.upper[d] = load<int16_t>(map + kUpper + 2 * d);
        for (const int32_t corner : {t.lower[d], t.upper[d]}) {
            if (corner < -limit || corner >= limit) {
                why = "a corner of the pixel box is " + std::to_string(corner) + ", out of range";
                return false;
            }
        }
        if (static_cast<int64_t>(t.dim[d + 1]) - 1 + t.upper[d] < t.lower[d]) {
            why = "the pixel box is empty";
            return false;
        }
    }
    t.channels = load<uint16_t>(map + kChannels);
    t.pixels = load<uint16_t>(map + kPixels);
    if (t.channels == 0 || t.channels > 256 || t.pixels == 0 || t.pixels > 1024) {
        why = of("channels a pixel are", t.channels) + of(" and pixels a column", t.pixels) +
              ", not 1 to 256 and 1 to 1024";
        return false;
    }
    return true;
}

}  // namespace

uint32_t bytes_of(ElementType type) {
    static constexpr uint8_t bytes[kElementTypes] = {1, 2, 4, 4, 8, 8, 2, 4, 4, 8, 2, 4, 4};
    return bytes[static_cast<uint32_t>(type)];
}

bool is_float(ElementType type) { return type >= ElementType::f16; }

FieldPlace field_place(MapField field, uint32_t ordinal) {
    switch (field) {
        case MapField::global_address: return {kAddress, 8};
        case MapField::rank: return {kRank, 1};
        case MapField::elemtype: return {kType, 1};
        case MapField::interleave_layout: return {kInterleave, 1};
        case MapField::swizzle_mode: return {kSwizzle, 1};
        case MapField::fill_mode: return {kFill, 1};
        default: break;
    }
    if (ordinal > 4) return {};
    switch (field) {
        case MapField::box_dim: return {kBox + 2 * ordinal, 2};
        case MapField::global_dim: return {kDims + 4 * ordinal, 4};
        case MapField::element_stride: return {kSteps + ordinal, 1};
        case MapField::global_stride: return ordinal < 4 ? FieldPlace{kStrides + 8 * ordinal, 8} : FieldPlace{};
        default: return {};
    }
}

void replace_field(uint8_t* map, MapField field, uint32_t ordinal, uint64_t value) {
    const FieldPlace place = field_place(field, ordinal);
    uint8_t* to = map + place.at;
    switch (place.bytes) {
        case 1: store(to, clamped<uint8_t>(value)); break;
        case 2: store(to, clamped<uint16_t>(value)); break;
        case 4: store(to, clamped<uint32_t>(value)); break;
        case 8: store(to, value); break;
        default: break;
    }
    if (field == MapField::global_dim && ordinal < 5) {
        map[kDimHigh] = static_cast<uint8_t>(map[kDimHigh] & ~(1u << ordinal));
    }
}

uint64_t TensorMap::fill() const {
    if (!fill_nan) return 0;
    switch (element_bytes) {
        case 2: return 0x7fff;
        case 4: return 0x7fffffff;
        default: return 0x7fffffffffffffffu;
    }
}

bool unpack(const uint8_t* map, TensorMap& t, std::string& why) {
    t = TensorMap{};
    const auto fail = [&](std::string text) {
        why = std::move(text);
        return false;
    };
    for (uint32_t k = kEnd; k < kTensorMapBytes; ++k) {
        if (map[k] != 0) return fail("these 128 bytes were not made by the emulator's encoder");
    }
    if (map[kRank] > 4) return fail(of("rank - 1 is", map[kRank]) + ", not 0 to 4");
    t.rank = map[kRank] + 1u;
    if (map[kType] >= kElementTypes) return fail(of("unknown element type", map[kType]));
    t.type = static_cast<ElementType>(map[kType]);
    t.element_bytes = bytes_of(t.type);
    if (map[kInterleave] > 2 || map[kSwizzle] > 3 || map[kFill] > 1 || map[kPromotion] > 3 || map[kMode] > 1) {
        return fail("a mode (interleave, swizzle, fill, L2 promotion) has no meaning");
    }
    if (map[kInterleave] != 0) return fail("interleaved layouts are not modelled");
    t.swizzle = (1u << map[kSwizzle]) - 1;
    t.fill_nan = map[kFill] == 1;
    if (t.fill_nan && !is_float(t.type)) return fail("NaN fills tensors of floating-point types only");
    t.im2col = map[kMode] == 1;
    t.address = load<uint64_t>(map + kAddress);
    if (t.address % 16 != 0) return fail("the global address is not a multiple of 16");

    t.stride[0] = t.element_bytes;
    for (uint32_t d = 0; d < t.rank; ++d) {
        const bool high = (map[kDimHigh] >> d & 1) != 0;
        t.dim[d] = high ? uint64_t{1} << 32 : load<uint32_t>(map + kDims + 4 * d);
        if (t.dim[d] == 0) return fail(of("nothing was said about the length of dimension", d));
        if (d > 0) {
            t.stride[d] = load<uint64_t>(map + kStrides + 8 * (d - 1));
            if (t.stride[d] % 16 != 0 || t.stride[d] >= uint64_t{1} << 40) {
                return fail(of("the stride of dimension", d) + of(" is", t.stride[d]) +
                            ", not a multiple of 16 below 2^40");
            }
            t.step[d] = map[kSteps + d];
            if (t.step[d] == 0 || t.step[d] > 8) {
                return fail(of("the element stride of dimension", d) + of(" is", t.step[d]) + ", not 1 to 8");
            }
        }
    }
    if (!(t.im2col ? unpack_im2col(map, t, why) : unpack_tiled(map, t, why))) return false;
    const uint32_t row = t.row_bytes(), span = 16 * (t.swizzle + 1);
    if (row % 16 != 0) return fail(of("a row of the box has", row) + " bytes, not a multiple of 16");
    if (t.swizzle != 0 && row > span) {
        return fail(of("a row of the box has", row) + of(" bytes, the swizzle spans", span));
    }
    return true;
}

}  // namespace emu
