// cp.async.bulk.tensor and its relatives: boxes of a tensor between global and shared memory, by a tensor map.
#include "ops/tensor_copy.h"


#include "numerics/formats.h"
#include "ops/bulk_copy_reduce.h"
#include "ops/memory_access.h"
#include "ops/tensor_copy_box.h"

namespace emu {

namespace {

struct TensorCopy {
    Where map, box, barrier;      // barrier.base is kNone where a bulk group counts
    uint32_t rank = 1;
    bool im2col = false;
    Slot coordinate[5] = {kNone, kNone, kNone, kNone, kNone};
    Slot offset[3] = {kNone, kNone, kNone};
    Slot ctas = kNone;            // of a multicast
    bool reduces = false;
    ReduceOp op = ReduceOp::add;
};

BoxStart start_of(const Warp& w, const TensorCopy& copy, int lane) {
    BoxStart start;
    for (uint32_t d = 0; d < copy.rank; ++d) start.coordinate[d] = w.get<int32_t>(copy.coordinate[d])[lane];
    for (uint32_t d = 0; d < 3; ++d) {
        if (copy.offset[d] != kNone) start.offset[d] = w.get<uint16_t>(copy.offset[d])[lane];
    }
    return start;
}

bool find_map_for(Warp& w, const Inst& i, int lane, const TensorCopy& copy, TensorMap& map) {
    if (!find_map(w, i, lane, copy.map, map)) return false;
    std::string wrong;
    if (map.rank != copy.rank) {
        wrong = "the tensor map has rank " + std::to_string(map.rank) + ", the instruction ";
        wrong += std::to_string(copy.rank);
    } else if (map.im2col != copy.im2col) {
        wrong = map.im2col ? "an im2col tensor map in an instruction of tiled mode"
                           : "a tiled tensor map in an instruction of im2col mode";
    }
    if (!wrong.empty()) w.fault(Kind::trap, i, lane, copy.map.at(w, lane), wrong);
    return wrong.empty();
}

/// Rows in global memory: finds their host memory, and tells counters and sanitizer of those that follow each other as
/// one.
class GlobalRows {
public:
    enum Use : uint8_t { read, write, reduce };
    GlobalRows(Warp& w, const Inst& i, int lane, Use use, const Completion& end)
        : w_(w), i_(i), lane_(lane), use_(use), end_(end) {}
    ~GlobalRows() { flush(); }
    GlobalRows(const GlobalRows&) = delete;
    GlobalRows& operator=(const GlobalRows&) = delete;

    /// Null after a fault.
    uint8_t* find(uint64_t address, uint32_t bytes) {
        if (region_ == nullptr || bytes > region_->bytes || address - region_->begin > region_->bytes - bytes) {
            flush();
            region_ = nullptr;
            if (!resolve_one(w_, i_, lane_, Space::global, address, bytes, 1, use_ != read, &region_)) return nullptr;
        }
        if (address != run_ + run_bytes_) {
            flush();
            run_ = address;
        }
        run_bytes_ += bytes;
        return region_->host + (address - region_->begin);
    }

private:
    void flush() {
        if (run_bytes_ == 0) return;
        count_bulk(w_, i_, Space::global, run_, run_bytes_);
        const Bytes at{region_->host + (run_ - region_->begin), region_, run_};
        if (use_ == reduce) reduces(w_, i_, lane_, at, run_bytes_, end_);
        else in_flight(w_, i_, lane_, at, run_bytes_, use_ == write, end_);
        run_bytes_ = 0;
    }
    Warp& w_;
    const Inst& i_;
    int lane_;
    Use use_;
    Completion end_;
    Region* region_ = nullptr;
    uint64_t run_ = 0, run_bytes_ = 0;
};

void box_in_flight(Warp& w, const Inst& i, int lane, const TensorMap& t, const Bytes& box, uint64_t at, uint64_t bytes,
                   bool write, const Completion& end) {
    if (!w.sanitizer) return;
    each_piece(t, box.address, at, bytes, [&](uint64_t offset, uint64_t n) {
        in_flight(w, i, lane, {box.host + offset, box.region, box.address + offset}, n, write, end);
    });
}

// ---- to shared memory -----------------------------------------------------------------------------------------------

bool flushes(ElementType type) { return type == ElementType::f32_ftz || type == ElementType::tf32_ftz; }
bool rounds(ElementType type) { return type == ElementType::tf32 || type == ElementType::tf32_ftz; }

/// What a load makes of floats: .tf32 rounds to the nearest of 10 bits, ties to even; .ftz makes subnormals zeros.
void convert_row(ElementType type, uint8_t* row, uint32_t bytes) {
    const bool ftz = flushes(type), tf32 = rounds(type);
    if (!ftz && !tf32) return;
    for (uint32_t k = 0; k < bytes; k += 4) {
        float x = load_plain<float>(row + k);
        if (ftz) x = num::flush(x);
        uint32_t u = num::bits(x);
        if (tf32 && !num::is_nan(x)) u = num::f32_to_tf32<num::Round::rn>(x);
        store_plain(row + k, u);
    }
}

void fill_row(const TensorMap& t, uint8_t* row, uint32_t bytes) {
    const uint64_t value = t.fill();
    for (uint32_t k = 0; k < bytes; k += t.element_bytes) std::memcpy(row + k, &value, t.element_bytes);
}

/// A box in the shared memory of a CTA, and its barrier.
struct Target {
    Bytes box, barrier;
};

/// The targets of a load: one, or those of a multicast. 0 after a fault.
uint32_t find_targets(Warp& w, const Inst& i, int lane, const TensorCopy& copy, const TensorMap& t, Target* out) {
    const uint64_t box = copy.box.at(w, lane), barrier = copy.barrier.at(w, lane);
    const uint32_t ctas = copy.ctas == kNone ? 1 : multicast_mask(w, copy.ctas, lane);
    uint32_t count = 0;
    for (uint32_t rank = 0; rank < 16; ++rank) {
        if ((ctas >> rank & 1) == 0) continue;
        const bool one = copy.ctas == kNone;
        Target& target = out[count];
        target.box = find_bytes(w, i, lane, copy.box, one ? box : in_cta(box, rank), t.shared_bytes(), 128, true);
        if (!target.box) return 0;
        target.barrier = find_barrier(w, i, lane, copy.barrier, one ? barrier : in_cta(barrier, rank));
        if (!target.barrier) return 0;
        if (target.barrier.region != target.box.region) {
            w.fault(Kind::mbarrier_misuse, i, lane, target.barrier.address,
                    "the mbarrier lies in another CTA's shared memory than the destination");
            return 0;
        }
        ++count;
    }
    return count;
}

void load_box(Warp& w, const Inst& i, int lane, const TensorCopy& copy) {
    TensorMap t;
    Target targets[16];
    if (!find_map_for(w, i, lane, copy, t)) return;
    const uint32_t count = find_targets(w, i, lane, copy, t, targets);
    if (count == 0) return;
    for (uint32_t k = 0; k < count; ++k) {
        box_in_flight(w, i, lane, t, targets[k].box, 0, t.box_bytes(), true, completion_of(targets[k].barrier));
        count_banks_only(w, i, [&] { count_bulk(w, i, Space::shared, targets[k].box.address, t.box_bytes()); });
    }
    {
        GlobalRows rows(w, i, lane, GlobalRows::read, completion_of(targets[0].barrier));
        const uint32_t pitch = t.row_bytes();
        const bool converts = flushes(t.type) || rounds(t.type);
        uint8_t blank[kMaxRowBytes], buffer[kMaxRowBytes];
        fill_row(t, blank, pitch);
        each_row(t, start_of(w, copy, lane), [&](const BoxRow& row) {
            const uint8_t* from = blank;
            if (row.bytes != 0) {
                from = rows.find(row.address, row.bytes);
                if (from == nullptr) return false;
                if (row.bytes != pitch || converts) {
                    std::memcpy(buffer, blank, pitch);
                    std::memcpy(buffer + row.skip, from, row.bytes);
                    convert_row(t.type, buffer + row.skip, row.bytes);
                    from = buffer;
                }
            }
            for (uint32_t k = 0; k < count; ++k) {
                put_row(t, targets[k].box.host, targets[k].box.address, row.at, from, pitch);
            }
            return true;
        });
    }
    // After a fault too: with the sanitizer the program goes on, and who waits should not wait for ever.
    for (uint32_t k = 0; k < count; ++k) complete_bytes(w, i, lane, targets[k].barrier, t.box_bytes());
}

void run_load(Warp& w, const Inst& i, Mask mask) {
    const auto& copy = i.as<TensorCopy>();
    each_lane(mask, [&](int lane) { load_box(w, i, lane, copy); });
}

// ---- from shared memory ---------------------------------------------------------------------------------------------

Type type_of(ElementType type) {
    switch (type) {
        case ElementType::u32: return Type::u32;
        case ElementType::s32: return Type::s32;
        case ElementType::u64: return Type::u64;
        case ElementType::s64: return Type::s64;
        case ElementType::f16: return Type::f16;
        case ElementType::bf16: return Type::bf16;
        case ElementType::f32: case ElementType::f32_ftz: return Type::f32;
        case ElementType::tf32: case ElementType::tf32_ftz: return Type::f32;
        case ElementType::f64: return Type::f64;
        default: return Type::none;
    }
}

void store_box(Warp& w, const Inst& i, int lane, const TensorCopy& copy) {
    TensorMap t;
    if (!find_map_for(w, i, lane, copy, t)) return;
    Reducer reduce = nullptr;
    if (copy.reduces) {
        reduce = reducer(copy.op, type_of(t.type), flushes(t.type));
        if (reduce == nullptr) {
            w.fault(Kind::trap, i, lane, copy.map.at(w, lane),
                    "there is no such reduction of the tensor map's element type");
            return;
        }
    }
    const Bytes box = find_bytes(w, i, lane, copy.box, t.shared_bytes(), 128, false);
    if (!box) return;
    const uint32_t pitch = t.row_bytes();
    const bool atomic = contended(w, Space::global);
    GlobalRows rows(w, i, lane, copy.reduces ? GlobalRows::reduce : GlobalRows::write, {});
    uint8_t buffer[kMaxRowBytes];
    uint64_t pending = 0, pending_end = 0;  // what was read of the box and the sanitizer not yet told
    each_row(t, start_of(w, copy, lane), [&](const BoxRow& row) {
        if (row.bytes == 0) return true;
        uint8_t* to = rows.find(row.address, row.bytes);
        if (to == nullptr) return false;
        if (row.at + row.skip != pending_end) {
            box_in_flight(w, i, lane, t, box, pending, pending_end - pending, false, {});
            pending = row.at + row.skip;
        }
        pending_end = row.at + row.skip + row.bytes;
        const uint8_t* from = box.host + row.at;
        if (t.swizzle != 0) {
            get_row(t, box.host, box.address, row.at, buffer, pitch);
            from = buffer;
        }
        if (reduce) reduce(to, from + row.skip, row.bytes, atomic);
        else std::memcpy(to, from + row.skip, row.bytes);
        return true;
    });
    box_in_flight(w, i, lane, t, box, pending, pending_end - pending, false, {});
    count_banks_only(w, i, [&] { count_bulk(w, i, Space::shared, box.address, t.box_bytes()); });
}

void run_store(Warp& w, const Inst& i, Mask mask) {
    const auto& copy = i.as<TensorCopy>();
    each_lane(mask, [&](int lane) { store_box(w, i, lane, copy); });
}

// The map must be right; what is fetched into a cache changes nothing.
void run_prefetch(Warp& w, const Inst& i, Mask mask) {
    const auto& copy = i.as<TensorCopy>();
    each_lane(mask, [&](int lane) {
        TensorMap t;
        find_map_for(w, i, lane, copy, t);
    });
}

// ---- decoding -------------------------------------------------------------------------------------------------------

/// Operand `at`: [map, {coordinates}].
void map_operand(Decode& d, size_t at, TensorCopy& copy) {
    copy.map = where(d, at, Space::generic);
    for (uint32_t r = 1; r <= 5; ++r) {
        if (d.has((std::to_string(r) + "d").c_str())) copy.rank = r;
    }
    copy.im2col = d.has("im2col") || d.has("im2col_no_offs");
    const auto& coordinates = d.operand(at).coordinates;
    if (coordinates.size() != copy.rank) {
        d.fail("there are " + std::to_string(coordinates.size()) + " coordinates and " + std::to_string(copy.rank) +
               " dimensions");
    }
    for (uint32_t k = 0; k < copy.rank; ++k) copy.coordinate[k] = d.source(coordinates[k], Type::s32);
}

/// Behind them: [{im2col offsets}], [ctaMask], [cache-policy].
void trailing(Decode& d, size_t at, TensorCopy& copy) {
    const bool offsets = d.has("im2col"), multicast = d.has("multicast::cluster"), hint = d.has("L2::cache_hint");
    const size_t count = at + offsets + multicast + hint;
    d.expect(count, count);
    if (offsets) {
        const auto elements = d.elements(d.operand(at++));
        if (elements.size() != copy.rank - 2) {
            d.fail("there must be " + std::to_string(copy.rank - 2) + " im2col offsets");
        }
        for (size_t k = 0; k < elements.size(); ++k) copy.offset[k] = d.source(elements[k], Type::b16);
    }
    if (multicast) copy.ctas = d.source(at++, Type::b16);
    if (hint) d.source(at, Type::b64);
    d.attach(copy);
}

void decode_load(Decode& d) {
    const bool cluster = d.has("shared::cluster");
    TensorCopy copy;
    copy.box = where(d, 0, Space::shared, cluster);
    map_operand(d, 1, copy);
    copy.barrier = where(d, 2, Space::shared, cluster);
    trailing(d, 3, copy);
    d.inst.space = Space::global;  // for the counters
    d.inst.run = run_load;
}

void decode_store(Decode& d) {
    TensorCopy copy;
    map_operand(d, 0, copy);
    copy.box = where(d, 1, Space::shared);
    for (const auto& m : d.source_text.modifiers) copy.reduces = copy.reduces || reduce_op(m.c_str(), copy.op);
    trailing(d, 2, copy);
    d.inst.space = Space::global;
    d.inst.run = run_store;
}

void decode_prefetch(Decode& d) {
    TensorCopy copy;
    map_operand(d, 0, copy);
    trailing(d, 1, copy);
    d.inst.run = run_prefetch;
}

constexpr Form kForms[] = {
    {"cp", "async bulk tensor 1d|2d|3d|4d|5d shared::cluster global [tile] mbarrier::complete_tx::bytes "
     "[multicast::cluster] [L2::cache_hint]",
     "[dst], [map, {x, ...}], [mbar] {, ctaMask} {, policy}", decode_load},
    {"cp", "async bulk tensor 1d|2d|3d|4d|5d shared::cta global [tile] mbarrier::complete_tx::bytes [L2::cache_hint]",
     "[dst], [map, {x, ...}], [mbar] {, policy}", decode_load},
    {"cp", "async bulk tensor 3d|4d|5d shared::cluster global im2col mbarrier::complete_tx::bytes "
     "[multicast::cluster] [L2::cache_hint]",
     "[dst], [map, {x, ...}], [mbar], {offsets} {, ctaMask} {, policy}", decode_load},
    {"cp", "async bulk tensor 3d|4d|5d shared::cta global im2col mbarrier::complete_tx::bytes [L2::cache_hint]",
     "[dst], [map, {x, ...}], [mbar], {offsets} {, policy}", decode_load},
    {"cp", "async bulk tensor 1d|2d|3d|4d|5d global shared::cta [tile] bulk_group [L2::cache_hint]",
     "[map, {x, ...}], [src] {, policy}", decode_store},
    {"cp", "async bulk tensor 3d|4d|5d global shared::cta im2col_no_offs bulk_group [L2::cache_hint]",
     "[map, {x, ...}], [src] {, policy}", decode_store},
    {"cp", "reduce async bulk tensor 1d|2d|3d|4d|5d global shared::cta add|min|max|inc|dec|and|or|xor [tile] "
     "bulk_group [L2::cache_hint]",
     "[map, {x, ...}], [src] {, policy}", decode_store},
    {"cp", "reduce async bulk tensor 3d|4d|5d global shared::cta add|min|max|inc|dec|and|or|xor im2col_no_offs "
     "bulk_group [L2::cache_hint]",
     "[map, {x, ...}], [src] {, policy}", decode_store},
    {"cp", "async bulk prefetch tensor 1d|2d|3d|4d|5d L2 global [tile] [L2::cache_hint]", "[map, {x, ...}] {, policy}",
     decode_prefetch},
    {"cp", "async bulk prefetch tensor 3d|4d|5d L2 global im2col [L2::cache_hint]",
     "[map, {x, ...}], {offsets} {, policy}", decode_prefetch},
    {"tensormap", "replace tile global_address [global|shared::cta] b1024 b64", "[map], value",
     decode_tensormap_replace},
    {"tensormap", "replace tile rank [global|shared::cta] b1024 b32", "[map], value", decode_tensormap_replace},
    {"tensormap", "replace tile box_dim|global_dim|element_stride [global|shared::cta] b1024 b32", "[map], dim, value",
     decode_tensormap_replace},
    {"tensormap", "replace tile global_stride [global|shared::cta] b1024 b64", "[map], dim, value",
     decode_tensormap_replace},
    {"tensormap", "replace tile elemtype|interleave_layout|swizzle_mode|fill_mode [global|shared::cta] b1024 b32",
     "[map], value", decode_tensormap_replace},
    {"tensormap", "cp_fenceproxy global shared::cta tensormap::generic release cta|cluster|gpu|sys sync aligned",
     "[dst], [src], 128", decode_tensormap_copy},
    {"prefetch", "[param|const] tensormap", "[map]", decode_prefetch_tensormap},
};

}  // namespace

Forms tensor_copy_forms() { return kForms; }

}  // namespace emu
