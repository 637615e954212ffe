// Tensor maps as memory: found for a copy, changed by tensormap.replace, carried to global memory by
// tensormap.cp_fenceproxy.
#include <bit>
#include <cstring>

#include "ops/barrier.h"
#include "ops/memory_access.h"
#include "ops/tensor_copy.h"

namespace emu {

bool find_map(Warp& w, const Inst& i, int lane, const Where& where, TensorMap& map) {
    const Bytes at = find_bytes(w, i, lane, where, kTensorMapBytes, kTensorMapAlign, false);
    if (!at) return false;
    if (at.region->space == Space::shared || at.region->space == Space::local) {
        w.fault(Kind::trap, i, lane, at.address, "a tensor map in use lies in global, constant or parameter memory");
        return false;
    }
    if (w.sanitizer) {
        Access access = Access::load();
        access.proxy = Proxy::tensormap;
        w.sanitizer->access_one(w, i, lane, *at.region, at.offset(), kTensorMapBytes, access);
    }
    uint8_t bytes[kTensorMapBytes];
    std::memcpy(bytes, at.host, kTensorMapBytes);
    std::string why;
    if (unpack(bytes, map, why)) return true;
    w.fault(Kind::trap, i, lane, at.address, "no valid tensor map: " + why);
    return false;
}

namespace {

struct Replace {
    Where map;
    Slot value = kNone;
    MapField field = MapField::rank;
    uint32_t ordinal = 0;
    bool wide = false;       // the value has 64 bits
};

void run_replace(Warp& w, const Inst& i, Mask mask) {
    const auto& replace = i.as<Replace>();
    const FieldPlace place = field_place(replace.field, replace.ordinal);
    each_lane(mask, [&](int lane) {
        const Bytes map = find_bytes(w, i, lane, replace.map, kTensorMapBytes, kTensorMapAlign, true);
        if (!map || place.bytes == 0) return;
        if (w.sanitizer) {
            w.sanitizer->access_one(w, i, lane, *map.region, map.offset() + place.at, place.bytes, Access::store());
        }
        const Slot slot = replace.value;
        const uint64_t value = replace.wide ? w.get<uint64_t>(slot)[lane] : w.get<uint32_t>(slot)[lane];
        replace_field(map.host, replace.field, replace.ordinal, value);
    });
    uint64_t address[kLanes];
    replace.map.all(w, address);
    count_memory(w, i, mask, replace.map.space, address, place.bytes ? place.bytes : 8);
}

struct MapCopy {
    Where to, from;
    Scope scope = Scope::gpu;
};

// The warp does it together; the addresses are the same in all lanes.
void run_copy(Warp& w, const Inst& i, Mask mask) {
    if (!aligned(w, i, mask)) return;
    const auto& copy = i.as<MapCopy>();
    const int lane = std::countr_zero(mask);
    const Bytes from = find_bytes(w, i, lane, copy.from, kTensorMapBytes, kTensorMapAlign, false);
    if (!from) return;
    const Bytes to = find_bytes(w, i, lane, copy.to, kTensorMapBytes, kTensorMapAlign, true);
    if (!to) return;
    if (w.sanitizer) {
        w.sanitizer->access_one(w, i, lane, *from.region, from.offset(), kTensorMapBytes, Access::load());
        w.sanitizer->access_one(w, i, lane, *to.region, to.offset(), kTensorMapBytes, Access::store());
    }
    count_banks_only(w, i, [&] { count_bulk(w, i, Space::shared, from.address, kTensorMapBytes); });
    count_bulk(w, i, Space::global, to.address, kTensorMapBytes);
    std::memmove(to.host, from.host, kTensorMapBytes);
    if (w.launch->options.threads > 1) std::atomic_thread_fence(std::memory_order_seq_cst);
    if (w.sanitizer) {
        w.sanitizer->proxy_fence(w, i, mask, Proxy::tensormap);
        w.sanitizer->fence(w, mask, Order::release, copy.scope);
    }
}

void run_prefetch(Warp& w, const Inst& i, Mask mask) {
    const auto& map = i.as<Where>();
    each_lane(mask, [&](int lane) { find_bytes(w, i, lane, map, kTensorMapBytes, kTensorMapAlign, false); });
}

struct FieldName {
    const char* name;
    MapField field;
    int64_t below;     // what literals must stay under; 0: any value, also of a register
    bool ordinal;
};
constexpr FieldName kFields[] = {
    {"global_address", MapField::global_address, 0, false}, {"rank", MapField::rank, 0, false},
    {"box_dim", MapField::box_dim, 0, true}, {"global_dim", MapField::global_dim, 0, true},
    {"global_stride", MapField::global_stride, 0, true}, {"element_stride", MapField::element_stride, 0, true},
    {"elemtype", MapField::elemtype, kElementTypes, false},
    {"interleave_layout", MapField::interleave_layout, 3, false},
    {"swizzle_mode", MapField::swizzle_mode, 4, false}, {"fill_mode", MapField::fill_mode, 2, false},
};

}  // namespace

void decode_tensormap_replace(Decode& d) {
    Replace replace;
    bool cluster = false;
    replace.map = where(d, 0, space_named(d, &cluster));
    replace.wide = d.has("b64");
    for (const FieldName& f : kFields) {
        if (!d.has(f.name)) continue;
        replace.field = f.field;
        const size_t value = f.ordinal ? 2 : 1;
        d.expect(value + 1, value + 1);
        if (f.ordinal) {
            const int64_t ordinal = d.literal(1);
            if (ordinal < 0 || ordinal > 4) d.fail("the dimension must be 0 to 4");
            replace.ordinal = static_cast<uint32_t>(ordinal);
        }
        if (f.below) {
            const int64_t x = d.literal(value);
            if (x < 0 || x >= f.below) d.fail("the value must be 0 to " + std::to_string(f.below - 1));
        }
        replace.value = d.source(value, replace.wide ? Type::b64 : Type::b32);
        break;
    }
    d.inst.space = replace.map.space;
    d.attach(replace);
    d.inst.run = run_replace;
}

void decode_tensormap_copy(Decode& d) {
    d.expect(3, 3);
    MapCopy copy;
    copy.to = where(d, 0, Space::global);
    copy.from = where(d, 1, Space::shared);
    if (d.literal(2) != kTensorMapBytes) d.fail("the size of a tensor map is 128");
    copy.scope = scope_named(d, Scope::gpu);
    d.attach(copy);
    d.inst.space = Space::global;
    d.inst.run = run_copy;
    d.ends_block();
}

void decode_prefetch_tensormap(Decode& d) {
    d.expect(1, 1);
    bool cluster = false;
    d.attach(where(d, 0, space_named(d, &cluster)));
    d.inst.run = run_prefetch;
}

}  // namespace emu
