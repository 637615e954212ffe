// Special registers: what each holds. Those of a thread are read lane by lane, the others once for the warp.
#include "ops/special.h"

#include <cstring>

#include "decode/context.h"
#include "machine/launch.h"
#include "ops/lanes.h"

namespace emu {
namespace {

// What the emulator stands for: one of Hopper's multiprocessors has 64 warps, and the H100 has 132 of them.
constexpr uint32_t kMultiprocessors = 132, kWarpsOfMultiprocessor = 64;
// Shared memory comes in units, and its first KiB is the system's.
constexpr uint64_t kSharedUnit = 128;

/// A value that all lanes share; i.imm tells registers of an array apart.
using Uniform = uint64_t (*)(const Warp&, const Inst&);

template <class T, Uniform F>
void read_uniform(Warp& w, const Inst& i, Mask mask) {
    const T value = static_cast<T>(F(w, i));
    T d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = value;
    w.put(i.d, d, mask);
}

template <class T>
void read_slot(Warp& w, const Inst& i, Mask mask) {
    struct Narrow { T operator()(uint32_t v) const { return static_cast<T>(v); } };
    unary<T, uint32_t, Narrow>(w, i, mask);
}

struct Lanemask {
    enum Which : int64_t { eq, le, lt, ge, gt };
    static uint32_t of(int64_t which, int lane) {
        const uint32_t eq_bit = 1u << lane, lt_bits = eq_bit - 1;
        switch (which) {
            case eq: return eq_bit;
            case le: return eq_bit | lt_bits;
            case lt: return lt_bits;
            case ge: return ~lt_bits;
            default: return ~(eq_bit | lt_bits);
        }
    }
};
template <class T>
void read_lanemask(Warp& w, const Inst& i, Mask mask) {
    T d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = static_cast<T>(Lanemask::of(i.imm, l));
    w.put(i.d, d, mask);
}

uint64_t ntid(const Warp& w, const Inst& i) { return w.launch->options.block[i.imm]; }
uint64_t ctaid(const Warp& w, const Inst& i) { return w.cta->id[i.imm]; }
uint64_t nctaid(const Warp& w, const Inst& i) { return w.launch->options.grid[i.imm]; }
uint64_t zero(const Warp&, const Inst&) { return 0; }
uint64_t one(const Warp&, const Inst&) { return 1; }
uint64_t warpid(const Warp& w, const Inst&) { return w.index; }
uint64_t nwarpid(const Warp&, const Inst&) { return kWarpsOfMultiprocessor; }
uint64_t smid(const Warp& w, const Inst&) { return w.cta->index % kMultiprocessors; }
uint64_t nsmid(const Warp&, const Inst&) { return kMultiprocessors; }

// Time is the number of warp instructions that the thread of the host has executed.
uint64_t clock(const Warp& w, const Inst&) { return w.worker->steps; }
uint64_t clock_high(const Warp& w, const Inst&) { return w.worker->steps >> 32; }

/// nvcc's cooperative groups read the address of the grid's barrier from these: its high half is %envreg1.
uint64_t envreg(const Warp& w, const Inst& i) {
    return i.imm == 1 ? w.launch->grid_workspace >> 32 : i.imm == 2 ? w.launch->grid_workspace & 0xffffffff : 0;
}

uint64_t dynamic_shared(const Warp& w, const Inst&) { return w.launch->options.dynamic_shared; }
uint64_t total_shared(const Warp& w, const Inst& i) {
    const uint64_t align = std::max(w.program->dynamic_align, 1u);
    const uint64_t fixed = (w.program->shared_bytes + align - 1) / align * align;
    return (fixed + dynamic_shared(w, i) + kSharedUnit - 1) / kSharedUnit * kSharedUnit;
}
uint64_t all_shared(const Warp& w, const Inst& i) { return total_shared(w, i) + kSharedStart; }
uint64_t reserved_shared(const Warp&, const Inst&) { return kSharedStart; }

const uint32_t* cluster(const Warp& w) { return w.launch->options.cluster; }
uint64_t clusterid(const Warp& w, const Inst& i) { return w.cta->id[i.imm] / cluster(w)[i.imm]; }
uint64_t nclusterid(const Warp& w, const Inst& i) { return w.launch->options.grid[i.imm] / cluster(w)[i.imm]; }
uint64_t cluster_ctaid(const Warp& w, const Inst& i) { return w.cta->id[i.imm] % cluster(w)[i.imm]; }
uint64_t cluster_nctaid(const Warp& w, const Inst& i) { return cluster(w)[i.imm]; }
uint64_t cluster_ctarank(const Warp& w, const Inst&) { return w.cta->rank; }
uint64_t cluster_nctarank(const Warp& w, const Inst&) {
    return uint64_t{cluster(w)[0]} * cluster(w)[1] * cluster(w)[2];
}
uint64_t explicit_cluster(const Warp& w, const Inst& i) {
    return w.program->cluster[0] != 0 || cluster_nctarank(w, i) > 1;
}

void read_explicit_cluster(Warp& w, const Inst& i, Mask mask) {
    w.put_predicate(i.d, explicit_cluster(w, i) ? kAll : 0, mask);
}

/// A register, its bytes (0: a predicate), and how it is read with 2, 4 and 8.
struct Readable {
    const char* name;     // # stands for a number or .x .y .z, which becomes Inst::imm
    uint8_t bytes;
    uint8_t count;        // of a name with #
    Handler read2, read4, read8;
    Slot slot = kNone;    // where the warp keeps it
    int64_t imm = 0;
};

template <Uniform F>
constexpr Readable narrow(const char* name, uint8_t count = 0) {
    return {name, 4, count, read_uniform<uint16_t, F>, read_uniform<uint32_t, F>, nullptr};
}
template <Uniform F>
constexpr Readable wide(const char* name, uint8_t count = 0) {
    return {name, 8, count, nullptr, nullptr, read_uniform<uint64_t, F>};
}
constexpr Readable slot(const char* name, Slot at) {
    return {name, 4, 0, read_slot<uint16_t>, read_slot<uint32_t>, nullptr, at};
}
constexpr Readable lanemask(const char* name, Lanemask::Which which) {
    return {name, 4, 0, read_lanemask<uint16_t>, read_lanemask<uint32_t>, nullptr, kNone, which};
}

constexpr Readable kSpecials[] = {
    slot("%tid.x", special_tid_x), slot("%tid.y", special_tid_y), slot("%tid.z", special_tid_z),
    slot("%laneid", special_laneid),
    narrow<ntid>("%ntid#", 3), narrow<ctaid>("%ctaid#", 3), narrow<nctaid>("%nctaid#", 3),
    narrow<zero>("%tid.w"), narrow<one>("%ntid.w"), narrow<zero>("%ctaid.w"), narrow<one>("%nctaid.w"),
    narrow<warpid>("%warpid"), narrow<nwarpid>("%nwarpid"), narrow<smid>("%smid"), narrow<nsmid>("%nsmid"),
    {"%gridid", 8, 0, nullptr, read_uniform<uint32_t, one>, read_uniform<uint64_t, one>},
    lanemask("%lanemask_eq", Lanemask::eq), lanemask("%lanemask_le", Lanemask::le),
    lanemask("%lanemask_lt", Lanemask::lt), lanemask("%lanemask_ge", Lanemask::ge),
    lanemask("%lanemask_gt", Lanemask::gt),
    narrow<clock>("%clock"), narrow<clock_high>("%clock_hi"), wide<clock>("%clock64"),
    wide<clock>("%globaltimer"), narrow<clock>("%globaltimer_lo"), narrow<clock_high>("%globaltimer_hi"),
    narrow<zero>("%pm#", 8),
    wide<zero>("%pm0_64"), wide<zero>("%pm1_64"), wide<zero>("%pm2_64"), wide<zero>("%pm3_64"),
    wide<zero>("%pm4_64"), wide<zero>("%pm5_64"), wide<zero>("%pm6_64"), wide<zero>("%pm7_64"),
    narrow<envreg>("%envreg#", 32),
    narrow<dynamic_shared>("%dynamic_smem_size"), narrow<total_shared>("%total_smem_size"),
    narrow<all_shared>("%aggr_smem_size"), narrow<zero>("%reserved_smem_offset_begin"),
    narrow<reserved_shared>("%reserved_smem_offset_end"), narrow<reserved_shared>("%reserved_smem_offset_cap"),
    narrow<zero>("%reserved_smem_offset_0"), narrow<zero>("%reserved_smem_offset_1"),
    {"%is_explicit_cluster", 0, 0, nullptr, nullptr, nullptr},
    narrow<clusterid>("%clusterid#", 3), narrow<nclusterid>("%nclusterid#", 3),
    narrow<cluster_ctaid>("%cluster_ctaid#", 3), narrow<cluster_nctaid>("%cluster_nctaid#", 3),
    narrow<cluster_ctarank>("%cluster_ctarank"), narrow<cluster_nctarank>("%cluster_nctarank"),
    wide<zero>("%current_graph_exec"),
};

/// Whether `name` is the register, or one of its array: then its number is `imm`.
bool matches(const Readable& special, const std::string& name, int64_t& imm) {
    imm = special.imm;
    if (!special.count) return name == special.name;
    const size_t stem = std::strlen(special.name) - 1;
    if (name.size() <= stem || name.compare(0, stem, special.name, stem) != 0) return false;
    const std::string rest = name.substr(stem);
    for (imm = 0; imm < special.count; ++imm) {
        if (rest == std::to_string(imm) || (special.count == 3 && rest == std::string(".") + "xyz"[imm])) return true;
    }
    return false;
}

}  // namespace

bool special_register(Decode& decode, const std::string& name, Inst& read) {
    for (const Readable& special : kSpecials) {
        int64_t imm = 0;
        if (!matches(special, name, imm)) continue;
        if (name.rfind("%reserved_smem_offset", 0) == 0) decode.context.program.reserved_shared = true;
        read.a = special.slot;
        read.imm = imm;
        if (special.bytes == 0 || read.n == 0) {
            read.run = special.bytes == 0 && read.n == 0 ? read_explicit_cluster : nullptr;
        } else {
            read.run = read.n <= 2 ? special.read2 : read.n == 4 ? special.read4 : special.read8;
        }
        if (!read.run) {
            const std::string is = special.bytes ? std::to_string(8 * special.bytes) + " bits" : "a predicate";
            const std::string wanted = read.n ? std::to_string(8 * read.n) + " are" : "a predicate is";
            decode.fail("special register " + name + " has " + is + ", and " + wanted + " wanted");
        }
        return true;
    }
    return false;
}

}  // namespace emu
