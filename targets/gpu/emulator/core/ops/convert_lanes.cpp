// Registers of any width to 64-bit lanes and back, for cvt.
#include "ops/convert.h"

namespace emu {
namespace {

template <class T>
void load(const Warp& w, Slot slot, uint64_t* out) {
    const T* from = w.get<T>(slot);
    for (int l = 0; l < kLanes; ++l) out[l] = from[l];
}

template <class Narrow>
void extend(uint64_t* x) {
    for (int l = 0; l < kLanes; ++l) x[l] = static_cast<uint64_t>(static_cast<int64_t>(static_cast<Narrow>(x[l])));
}

void extend(uint64_t* x, Type type) {
    switch (type) {
        case Type::s8: return extend<int8_t>(x);
        case Type::s16: return extend<int16_t>(x);
        case Type::s32: return extend<int32_t>(x);
        default: break;
    }
    switch (bytes_of(type)) {
        case 1: return extend<uint8_t>(x);
        case 2: return extend<uint16_t>(x);
        case 4: return extend<uint32_t>(x);
        default: return;
    }
}

template <class T>
void store(Warp& w, Slot slot, const uint64_t* values, Mask mask) {
    T out[kLanes];
    for (int l = 0; l < kLanes; ++l) out[l] = static_cast<T>(values[l]);
    w.put(slot, out, mask);
}

}  // namespace

void read_lanes(const Warp& w, Slot slot, Type type, uint32_t register_bytes, uint64_t* out) {
    switch (register_bytes) {
        case 1: load<uint8_t>(w, slot, out); break;
        case 2: load<uint16_t>(w, slot, out); break;
        case 4: load<uint32_t>(w, slot, out); break;
        default: load<uint64_t>(w, slot, out); break;
    }
    extend(out, type);
}

void write_lanes(Warp& w, Slot slot, Type type, uint32_t register_bytes, const uint64_t* values, Mask mask) {
    uint64_t x[kLanes];
    for (int l = 0; l < kLanes; ++l) x[l] = values[l];
    extend(x, type);
    switch (register_bytes) {
        case 1: return store<uint8_t>(w, slot, x, mask);
        case 2: return store<uint16_t>(w, slot, x, mask);
        case 4: return store<uint32_t>(w, slot, x, mask);
        default: return store<uint64_t>(w, slot, x, mask);
    }
}

}  // namespace emu
