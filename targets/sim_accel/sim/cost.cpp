// What an instruction costs: docs/sim_accel_isa.md, section 5.
#include <algorithm>
#include <cmath>

#include "op.h"

namespace sim {
namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t cycles_for(int64_t bytes, double per_cycle) { return static_cast<int64_t>(std::ceil(static_cast<double>(bytes) / per_cycle)); }

/// Elements a tile really has: its stride-0 dimensions are one element.
int64_t distinct(const Op& op, const Tile& t) {
    int64_t n = 1;
    for (int d = 0; d < op.rank; ++d) n *= t.stride[d] == 0 && op.size[d] ? 1 : op.size[d];
    return n;
}

/// Whether consecutive elements are neighbours, or the same.
bool dense(const Op& op, const Tile& t) {
    for (int d = op.rank - 1; d >= 0; --d)
        if (op.size[d] > 1) return std::abs(t.stride[d]) <= 1;
    return true;
}

void price_matrix(Op& op, const Config& c, int64_t previous_stream) {
    const int64_t s = c.array;
    if (op.opcode == OP_MM_LOAD) {
        op.sp_read = op.k * op.n * op.a.size();
        const int64_t load = std::max(op.trans ? 2 * s : s, cycles_for(op.sp_read, c.sp_bytes_per_cycle));
        op.cycles = c.weight_buffers > 1 ? std::max<int64_t>(1, load - previous_stream) : load;
        op.latency = op.cycles;
        return;
    }
    const int64_t m = op.elements();
    const int64_t out = m * op.n * 4;
    op.macs = m * op.k * op.n;
    op.sp_read = m * op.k * op.a.size() + (op.acc ? out : 0);
    op.sp_written = out;
    const int64_t stream = std::max(ceil_div(m * c.row_num[op.a.dtype], c.row_den[op.a.dtype]),
                                    cycles_for(op.sp_read + op.sp_written, c.sp_bytes_per_cycle));
    const int64_t skew = 2 * s - 2;
    // Bandwidth is compared with the whole duration where streams do not overlap.
    const int64_t whole = std::max(ceil_div(m * c.row_num[op.a.dtype], c.row_den[op.a.dtype]) + skew,
                                   cycles_for(op.sp_read + op.sp_written, c.sp_bytes_per_cycle));
    op.cycles = std::max<int64_t>(1, c.weight_buffers > 1 ? stream : whole);
    op.latency = c.weight_buffers > 1 ? op.cycles + skew : op.cycles;
}

void price_vector(Op& op, const Config& c) {
    const int64_t elements = op.elements();
    int64_t lanes = INT64_MAX, bandwidth = 0;
    auto touch = [&](const Tile& t, int64_t n, bool contiguous, bool write) {
        lanes = std::min(lanes, c.lanes[t.dtype]);
        (write ? op.sp_written : op.sp_read) += n * t.size();
        bandwidth += n * (contiguous ? t.size() : std::max<int64_t>(t.size(), c.sp_word_bytes));
    };
    auto whole = [&](const Tile& t, bool write) { touch(t, distinct(op, t), dense(op, t), write); };
    const bool arg = op.opcode == OP_VARGMAX || op.opcode == OP_VARGMIN;
    whole(op.dst, true);
    if (op.acc) whole(op.dst, false);
    if (op.opcode == OP_VGATHER) {
        whole(op.a, false);
        touch(op.b, elements, false, false);
    } else if (op.opcode != OP_VIOTA) {
        if (!op.kind_a) whole(op.a, false);
        if (op.opcode < OP_VCOPY && !op.kind_b) whole(op.b, false);
        if ((op.opcode == OP_VFMA || op.opcode == OP_VSELECT) && !op.kind_c) whole(op.c, false);
        if (arg) {
            whole(op.b, true);
            if (op.acc) whole(op.b, false);
        }
    }
    op.vec_ops = elements;
    op.cycles = c.vec_startup + std::max(ceil_div(elements, lanes) * c.vec_cycles[op.cost], cycles_for(bandwidth, c.sp_bytes_per_cycle));
    op.latency = op.cycles;
}

void price_dma(Op& op, const Config& c) {
    const Tile& dram = op.is_load() ? op.a : op.dst;
    const Tile& local = op.is_load() ? op.dst : op.a;
    int64_t size[kMaxRank], stride[kMaxRank], moved = dram.size(), n = 0, lines = 1;
    for (int d = 0; d < op.rank; ++d) {
        if (op.inside[d] == 0) moved = 0;
        const int64_t step = std::abs(dram.stride[d] * op.step[d]);
        if (d == 0 && op.is_gather()) {
            lines *= op.size[d];
            continue;
        }
        if (step == 0 || op.inside[d] == 1) continue;
        int64_t at = n++;
        for (; at > 0 && stride[at - 1] > step; --at) stride[at] = stride[at - 1], size[at] = size[at - 1];
        stride[at] = step, size[at] = op.inside[d];
    }
    int64_t run = 1;
    bool growing = true;
    for (int64_t d = 0; d < n; ++d) {
        growing = growing && stride[d] == run;
        (growing ? run : lines) *= size[d];
    }
    op.dram_bytes = moved ? lines * run * dram.size() : 0;
    op.bus_bytes = moved ? lines * ceil_div(run * dram.size(), c.burst_bytes) * c.burst_bytes : 0;
    int64_t inside = 1;
    for (int d = 0; d < op.rank; ++d) inside *= op.inside[d];
    if (op.is_load()) op.sp_written = op.elements() * local.size();
    else op.sp_read = inside * local.size();
    if (op.is_gather()) op.sp_read += op.size[0] * op.b.size();
    op.latency = c.dma_startup + c.dram_latency;
    op.cycles = cycles_for(op.is_load() ? op.sp_written : op.sp_read, c.dma_bytes_per_cycle);
}

}  // namespace

void price(Op& op, const Config& c, int64_t previous_stream) {
    if (op.opcode != OP_MM_LOAD && op.elements() == 0) {
        op.cycles = 1;
        op.latency = 1;
        return;
    }
    if (op.queue == Q_MXU) return price_matrix(op, c, previous_stream);
    if (op.queue != Q_VEC) return price_dma(op, c);
    price_vector(op, c);
}

}  // namespace sim
