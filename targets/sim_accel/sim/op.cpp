#include "op.h"

#include <algorithm>

namespace sim {
namespace {

using Wide = __int128;

constexpr int64_t kMaxElements = 1 << 28;
constexpr int64_t kMaxStride = 1ll << 40;
constexpr int64_t kMaxStep = 1 << 20;
constexpr int64_t kMaxAddress = 1ll << 62;
constexpr int64_t kMaxTerm = 1ll << 59;  // so that sums of five fit

int64_t bounded(int64_t v, int64_t limit, const char* what) {
    if (v < -limit || v > limit) throw Fault(std::string(what) + " " + std::to_string(v) + " is out of range");
    return v;
}

int64_t count_of(int64_t v, int64_t limit, const char* what) {
    if (v < 0 || v > limit) throw Fault(std::string(what) + " is " + std::to_string(v) + ", not in 0.." + std::to_string(limit));
    return v;
}

int64_t div_floor(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
int64_t div_ceil(int64_t a, int64_t b) { return -div_floor(-a, b); }

/// The indices i in [0, n) whose coordinate pos + i * step is in [0, bound): an interval.
void clip(int64_t n, int64_t pos, int64_t bound, int64_t step, int64_t& first, int64_t& inside) {
    int64_t lo = 0, hi = n;
    if (step > 0) {
        lo = std::max(lo, div_ceil(-pos, step));
        hi = std::min(hi, div_ceil(bound - pos, step));
    } else if (step < 0) {
        lo = std::max(lo, div_ceil(pos - bound + 1, -step));
        hi = std::min(hi, div_floor(pos, -step) + 1);
    } else if (pos < 0 || pos >= bound) {
        hi = 0;
    }
    first = std::min(lo, n);
    inside = std::max<int64_t>(hi - lo, 0);
    if (!inside) first = 0;
}

/// First and last byte (exclusive) of a tile; false where it is empty.
struct Hull {
    Wide low, high;
    bool empty = false;

    Hull(const Tile& t, int rank, const int64_t* size, const int64_t* stride) : low(t.addr), high(t.addr) {
        for (int d = 0; d < rank; ++d) {
            if (size[d] == 0) empty = true;
            const Wide reach = static_cast<Wide>(size[d] - 1) * stride[d] * t.size();
            (reach < 0 ? low : high) += reach;
        }
        high += t.size();
    }
};

std::string range_text(const Hull& h) {
    auto text = [](Wide v) {
        const bool fits = v >= INT64_MIN && v <= INT64_MAX;
        return fits ? std::to_string(static_cast<int64_t>(v)) : std::string(v < 0 ? "-huge" : "huge");
    };
    return "[" + text(h.low) + ", " + text(h.high) + ")";
}

void check_sp(const Tile& t, int rank, const int64_t* size, const int64_t* stride, const Config& c, const char* what) {
    const Hull h(t, rank, size, stride);
    if (h.empty) return;
    if (h.low < 0 || h.high > c.sp_bytes)
        throw Fault(std::string(what) + " covers scratchpad bytes " + range_text(h) + " of " + std::to_string(c.sp_bytes));
    if (t.addr % t.size())
        throw Fault(std::string(what) + " at " + std::to_string(t.addr) + " is not aligned to its " + std::to_string(t.size()) + " byte elements");
}

void check_dram(Op& op, const std::vector<Segment>& segments) {
    Tile& t = op.is_load() ? op.a : op.dst;
    int64_t size[kMaxRank], stride[kMaxRank];
    Wide addr = t.addr;
    for (int d = 0; d < op.rank; ++d) {
        const bool indexed = d == 0 && op.is_gather();
        size[d] = indexed ? op.bound[d] : op.inside[d];
        stride[d] = t.stride[d] * (indexed ? 1 : op.step[d]);
        const int64_t from = indexed ? 0 : op.pos[d] + op.first[d] * op.step[d];
        const Wide term = static_cast<Wide>(from) * t.stride[d] * t.size();
        if (term < -kMaxTerm || term > kMaxTerm) throw Fault("a DRAM coordinate is out of range");
        addr += term;
    }
    Tile origin = t;
    if (addr < -kMaxAddress || addr > kMaxAddress) throw Fault("the DRAM address is out of range");
    origin.addr = static_cast<int64_t>(addr);
    const Hull h(origin, op.rank, size, stride);
    if (h.empty) return;
    for (const Segment& s : segments) {
        if (h.low < s.address || h.high > s.address + s.bytes) continue;
        if (!op.is_load() && !s.writable) throw Fault("writes DRAM bytes " + range_text(h) + ", which are read-only");
        // As an integer: address 0 of the segment's space need not lie inside any object.
        t.dram = reinterpret_cast<uint8_t*>(reinterpret_cast<uintptr_t>(s.data) - static_cast<uintptr_t>(s.address));
        return;
    }
    throw Fault("DRAM bytes " + range_text(h) + " are not inside one mapped buffer");
}

}  // namespace

int64_t read_value(uint32_t bits, const int64_t* regs) {
    if (bits >> 31) {
        const int64_t offset = static_cast<int32_t>(bits << 1) >> 7;
        return static_cast<int64_t>(static_cast<uint64_t>(regs[bits & 63]) + static_cast<uint64_t>(offset));
    }
    return static_cast<int32_t>(bits << 1) >> 1;
}

Op resolve(const Program& p, const Instr& in, const int64_t* regs, const Config& config) {
    Op op;
    op.opcode = in.spec->opcode;
    op.rank = in.rank();
    op.cost = in.spec->cost;
    op.queue = in.spec->unit == Unit::MXU ? Q_MXU : in.spec->unit == Unit::VEC ? Q_VEC : static_cast<int>(in.bits[F_Q]);
    op.ctype = static_cast<int>(in.bits[F_CT]);
    op.acc = in.bits[F_ACC], op.last = in.bits[F_LAST], op.sat = in.bits[F_SAT], op.trans = in.bits[F_TRANS];
    op.bounded = in.bits[F_BOUNDED];
    op.dims = in.bits[F_DIMS];
    op.dim = static_cast<int>(in.bits[F_DIM]);
    auto value = [&](FieldId f, int n = 0) { return read_value(p.slot(in, f, n), regs); };
    auto tile = [&](Tile& t, FieldId f, uint32_t dtype, int strides) {
        t.dtype = static_cast<int>(dtype);
        t.addr = bounded(value(f), kMaxAddress, "the address");
        for (int d = 0; d < strides; ++d) t.stride[d] = bounded(value(f, 1 + d), kMaxStride, "the stride");
    };
    Tile* tiles[] = {&op.dst, &op.a, &op.b, &op.c};
    int* kinds[] = {nullptr, &op.kind_a, &op.kind_b, &op.kind_c};
    int64_t* imms[] = {nullptr, &op.imm_a, &op.imm_b, &op.imm_c};
    auto which = [](FieldId f) { return f == F_DST ? 0 : f == F_A ? 1 : f == F_B ? 2 : 3; };
    for (int f = 0; f < in.spec->n_fields; ++f) {
        const FieldDesc& d = in.spec->fields[f];
        const uint32_t bits = in.bits[d.id];
        switch (d.kind) {
            case Kind::SHAPE:
                for (int i = 0; i < op.rank; ++i) op.size[i] = count_of(value(d.id, i), kMaxElements, "a size");
                break;
            case Kind::TILE: tile(*tiles[which(d.id)], d.id, bits, op.rank); break;
            case Kind::VECTOR: tile(*tiles[which(d.id)], d.id, bits, 1); break;
            case Kind::OPERAND: {
                const int w = which(d.id);
                *kinds[w] = static_cast<int>(bits >> 4);
                if (!*kinds[w]) tile(*tiles[w], d.id, bits & 15, op.rank);
                else if (*kinds[w] == 1) *imms[w] = static_cast<int32_t>(p.slot(in, d.id));
                else *imms[w] = value(d.id);
                break;
            }
            case Kind::VALUE: {
                const int64_t v = value(d.id);
                if (d.id == F_K) op.k = count_of(v, config.array, "k");
                else if (d.id == F_N) op.n = count_of(v, config.array, "n");
                else if (d.id == F_KSTRIDE) op.kstride = bounded(v, kMaxStride, "the stride");
                else if (d.id == F_COUNT) op.count = count_of(v, kMaxElements, "count");
                else if (d.id == F_START) op.start = v;
                else if (d.id == F_INC) op.inc = v;
                else if (d.id == F_BASE) op.base = v;
                break;
            }
            case Kind::BOUND: {
                if (!op.bounded) break;
                int64_t* to = d.id == F_POS ? op.pos : d.id == F_SIZE ? op.bound : op.step;
                for (int i = 0; i < op.rank; ++i) to[i] = bounded(value(d.id, i), d.id == F_STEP ? kMaxStep : kMaxStride, "a coordinate");
                break;
            }
            case Kind::FILL: op.fill = op.bounded ? p.slot(in, d.id) : 0; break;
            default: break;
        }
    }
    int64_t elements = 1;
    for (int d = 0; d < op.rank; ++d) {
        elements *= op.size[d];
        if (elements > kMaxElements) throw Fault("more than 2^28 elements in one instruction");
    }
    for (int d = 0; d < op.rank; ++d) {
        if (!op.bounded) op.step[d] = 1, op.bound[d] = op.size[d];
        if (op.bound[d] < 0) throw Fault("a negative size");
        clip(op.size[d], op.pos[d], op.bound[d], op.step[d], op.first[d], op.inside[d]);
        if (d == 0 && op.is_gather()) op.first[d] = 0, op.inside[d] = op.size[d];
    }
    if (op.queue >= Q_DMA0 + config.dma_queues) throw Fault(std::string("this machine has no queue ") + kQueueNames[op.queue]);
    if (in.spec->unit == Unit::MXU && !config.row_den[op.a.dtype])
        throw Fault(std::string("this machine's matrix unit has no format ") + kDtypeNames[op.a.dtype]);
    for (int d = 0; d < op.rank; ++d) {
        if (!(op.dims >> d & 1)) continue;
        const bool arg = op.opcode == OP_VARGMAX || op.opcode == OP_VARGMIN;
        if (op.dst.stride[d] || (arg && op.b.stride[d])) throw Fault("a reduced dimension has a nonzero stride in the destination");
    }
    return op;
}

void check_addresses(Op& op, const Config& c, const std::vector<Segment>& segments) {
    if (op.opcode == OP_MM_LOAD) {
        const int64_t size[2] = {op.k, op.n}, stride[2] = {op.trans ? 1 : op.a.stride[0], op.trans ? op.a.stride[0] : 1};
        return check_sp(op.a, 2, size, stride, c, "the weight tile");
    }
    if (op.elements() == 0) return;
    if (op.queue >= Q_DMA0) {
        check_dram(op, segments);
        check_sp(op.is_load() ? op.dst : op.a, op.rank, op.size, (op.is_load() ? op.dst : op.a).stride, c, op.is_load() ? "dst" : "a");
        if (op.is_gather()) check_sp(op.b, 1, op.size, op.b.stride, c, "the index");
        return;
    }
    if (op.opcode == OP_MM_MUL) {
        int64_t size[kMaxRank + 1], act[kMaxRank + 1], acc[kMaxRank + 1];
        for (int d = 0; d < op.rank; ++d) size[d] = op.size[d], act[d] = op.a.stride[d], acc[d] = op.dst.stride[d];
        size[op.rank] = op.k, act[op.rank] = op.kstride;
        check_sp(op.a, op.rank + 1, size, act, c, "the activation tile");
        size[op.rank] = op.n, acc[op.rank] = 1;
        return check_sp(op.dst, op.rank + 1, size, acc, c, "the accumulator tile");
    }
    check_sp(op.dst, op.rank, op.size, op.dst.stride, c, "dst");
    if (op.opcode == OP_VIOTA) return;
    if (!op.kind_a) check_sp(op.a, op.rank, op.size, op.a.stride, c, "a");
    if (op.opcode == OP_VGATHER) return check_sp(op.b, 1, &op.count, op.b.stride, c, "the table");
    const bool arg = op.opcode == OP_VARGMAX || op.opcode == OP_VARGMIN;
    if ((op.opcode < OP_VCOPY && !op.kind_b) || arg) check_sp(op.b, op.rank, op.size, op.b.stride, c, "b");
    if ((op.opcode == OP_VFMA || op.opcode == OP_VSELECT) && !op.kind_c) check_sp(op.c, op.rank, op.size, op.c.stride, c, "c");
}

Span::Span(int64_t addr, int elem, int rank_, const int64_t* sizes, const int64_t* strides) : base(addr), run(elem) {
    for (int d = 0; d < rank_; ++d) {
        if (sizes[d] == 0) {
            run = 0;
            rank = 0;
            return;
        }
        int64_t step = strides[d] * elem;
        if (sizes[d] == 1 || step == 0) continue;
        if (step < 0) {
            base += (sizes[d] - 1) * step;
            step = -step;
        }
        int at = rank++;
        for (; at > 0 && stride[at - 1] > step; --at) stride[at] = stride[at - 1], size[at] = size[at - 1];
        stride[at] = step, size[at] = sizes[d];
    }
    int kept = 0;
    for (int d = 0; d < rank; ++d) {
        if (kept == 0 && stride[d] <= run) {
            run += (size[d] - 1) * stride[d];
        } else {
            stride[kept] = stride[d], size[kept] = size[d];
            ++kept;
        }
    }
    rank = kept;
}

}  // namespace sim
