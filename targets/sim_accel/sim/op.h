// A dispatched instruction: every value read from its register, every address checked. What the units execute.
#pragma once
#include <cstdint>

#include "config.h"
#include "decode.h"

namespace sim {

struct Tile {
    int dtype = 0;
    int64_t addr = 0;
    int64_t stride[kMaxRank] = {};  // elements
    uint8_t* dram = nullptr;        // for a DRAM tile: the host address of DRAM byte 0 of its segment

    int size() const { return kDtypeBytes[dtype]; }
};

struct Op {
    int opcode = 0;
    int queue = 0;
    int cost = 0;  // Cost class
    int rank = 0;
    int32_t pc = 0;
    uint32_t marker = 0;
    int64_t size[kMaxRank] = {};
    Tile dst, a, b, c;
    int kind_a = 0, kind_b = 0, kind_c = 0;   // of vector operands: 0 tile, else immediate
    int64_t imm_a = 0, imm_b = 0, imm_c = 0;  // integer value, or an f32's bits
    int ctype = 0;
    bool acc = false, last = false, sat = false, trans = false, bounded = false;
    uint32_t dims = 0, fill = 0;
    int dim = 0;
    int64_t pos[kMaxRank] = {}, bound[kMaxRank] = {}, step[kMaxRank] = {};
    int64_t first[kMaxRank] = {}, inside[kMaxRank] = {};  // in-bounds indices of a DMA: [first, first + inside)
    int64_t k = 0, n = 0, kstride = 0, start = 0, inc = 0, count = 0, base = 0;

    // What it costs (cost.cpp).
    int64_t cycles = 0, latency = 0;  // occupies its unit for `cycles`; completes after `latency`
    int64_t bus_bytes = 0, dram_bytes = 0, sp_read = 0, sp_written = 0, macs = 0, vec_ops = 0;

    int64_t elements() const {
        int64_t e = 1;
        for (int d = 0; d < rank; ++d) e *= size[d];
        return e;
    }
    bool is_load() const { return opcode == OP_DMA_LOAD || opcode == OP_DMA_GATHER; }
    bool is_gather() const { return opcode == OP_DMA_GATHER || opcode == OP_DMA_SCATTER; }
};

/// An instruction that cannot be executed.
struct Fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Reads an instruction's values. Throws Fault for sizes out of range, or features that the machine lacks.
Op resolve(const Program& program, const Instr& instr, const int64_t* regs, const Config& config);

int64_t read_value(uint32_t bits, const int64_t* regs);

/// Checks every address of an op and finds its DRAM segments. `k`, `n`: the loaded weights'. Throws Fault.
void check_addresses(Op& op, const Config& config, const std::vector<Segment>& segments);

/// Fills in the cost fields. `previous_stream`: cycles of the mm.mul before, for double-buffered weights.
void price(Op& op, const Config& config, int64_t previous_stream);

/// A set of bytes: base + sum of i_d * stride_d, runs of `run` bytes. Sorted, merged, zero strides dropped.
struct Span {
    int rank = 0;
    int64_t base = 0, run = 0;
    int64_t size[kMaxRank + 1] = {}, stride[kMaxRank + 1] = {};

    Span() = default;
    /// `size` and `stride` (in elements) over `rank` dimensions, of a tile at `addr`.
    Span(int64_t addr, int elem, int rank, const int64_t* size, const int64_t* stride);
    bool empty() const { return run == 0; }

    template <class F>
    void runs(F f) const {  // f(low, high)
        if (empty()) return;
        int64_t index[kMaxRank + 1] = {};
        int64_t at = base;
        for (;;) {
            f(at, at + run);
            int d = 0;
            for (; d < rank; ++d) {
                at += stride[d];
                if (++index[d] < size[d]) break;
                at -= size[d] * stride[d];
                index[d] = 0;
            }
            if (d == rank) return;
        }
    }
};

/// The memory an op touches. Calls f(span, dram, write) for each part.
template <class F>
void footprint(const Op& op, F f) {
    auto sp = [&](const Tile& t, bool write) { f(Span(t.addr, t.size(), op.rank, op.size, t.stride), false, write); };
    switch (op.opcode) {
        case OP_DMA_LOAD:
        case OP_DMA_STORE:
        case OP_DMA_GATHER:
        case OP_DMA_SCATTER: {
            const Tile& dram = op.is_load() ? op.a : op.dst;
            const Tile& local = op.is_load() ? op.dst : op.a;
            int64_t size[kMaxRank], stride[kMaxRank];
            int64_t at = dram.addr, local_at = local.addr;
            for (int d = 0; d < op.rank; ++d) {
                const bool indexed = d == 0 && op.is_gather();
                const int64_t from = indexed ? 0 : op.pos[d] + op.first[d] * op.step[d];
                size[d] = indexed ? op.bound[d] : op.inside[d];
                stride[d] = dram.stride[d] * (indexed ? 1 : op.step[d]);
                at += from * dram.stride[d] * dram.size();
                if (!op.is_load()) local_at += op.first[d] * local.stride[d] * local.size();
            }
            f(Span(at, dram.size(), op.rank, size, stride), true, !op.is_load());
            if (op.is_gather()) f(Span(op.b.addr, op.b.size(), 1, op.size, op.b.stride), false, false);
            f(Span(local_at, local.size(), op.rank, op.is_load() ? op.size : op.inside, local.stride), false, op.is_load());
            return;
        }
        case OP_MM_LOAD: {
            const int64_t size[2] = {op.k, op.n};
            const int64_t stride[2] = {op.trans ? 1 : op.a.stride[0], op.trans ? op.a.stride[0] : 1};
            f(Span(op.a.addr, op.a.size(), 2, size, stride), false, false);
            return;
        }
        case OP_MM_MUL: {
            int64_t size[kMaxRank + 1], act[kMaxRank + 1], acc[kMaxRank + 1];
            for (int d = 0; d < op.rank; ++d) size[d] = op.size[d], act[d] = op.a.stride[d], acc[d] = op.dst.stride[d];
            size[op.rank] = op.k, act[op.rank] = op.kstride;
            f(Span(op.a.addr, op.a.size(), op.rank + 1, size, act), false, false);
            size[op.rank] = op.n, acc[op.rank] = 1;
            const Span out(op.dst.addr, op.dst.size(), op.rank + 1, size, acc);
            if (op.acc) f(out, false, false);
            f(out, false, true);
            return;
        }
        case OP_VGATHER: {
            sp(op.a, false);
            f(Span(op.b.addr, op.b.size(), 1, &op.count, op.b.stride), false, false);
            sp(op.dst, true);
            return;
        }
        case OP_VARGMAX:
        case OP_VARGMIN:
            sp(op.a, false);
            if (op.acc) sp(op.dst, false), sp(op.b, false);
            sp(op.dst, true), sp(op.b, true);
            return;
        default:
            if (op.opcode != OP_VIOTA) {
                if (!op.kind_a) sp(op.a, false);
                if (!op.kind_b && op.opcode < OP_VCOPY) sp(op.b, false);
                if (!op.kind_c && (op.opcode == OP_VFMA || op.opcode == OP_VSELECT)) sp(op.c, false);
                if (op.acc) sp(op.dst, false);
            }
            sp(op.dst, true);
    }
}

}  // namespace sim
