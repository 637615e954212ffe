// The sequencer: scalar instructions, loops, dispatch.
#include <algorithm>

#include "core.h"

namespace sim {
namespace {

int64_t wrap(uint64_t v) { return static_cast<int64_t>(v); }

int64_t alu(int opcode, int64_t x, int64_t y) {
    const auto ux = static_cast<uint64_t>(x), uy = static_cast<uint64_t>(y);
    switch (opcode) {
        case OP_SADD: return wrap(ux + uy);
        case OP_SSUB: return wrap(ux - uy);
        case OP_SMUL: return wrap(ux * uy);
        case OP_SDIV: return y == 0 ? -1 : y == -1 ? wrap(0 - ux) : x / y;
        case OP_SREM: return y == 0 ? x : y == -1 ? 0 : x % y;
        case OP_SMIN: return std::min(x, y);
        case OP_SMAX: return std::max(x, y);
        case OP_SAND: return x & y;
        case OP_SOR: return x | y;
        case OP_SXOR: return x ^ y;
        case OP_SSHL: return wrap(ux << (uy & 63));
        case OP_SSHR: return x >> (uy & 63);
        case OP_SLT: return x < y;
        case OP_SLE: return x <= y;
        case OP_SEQ: return x == y;
        default: return x != y;
    }
}

}  // namespace

void Core::block(Blocked why) {
    blocked_ = why;
    blocked_since_ = now_;
    dirty_ = true;
}

/// One instruction at now_ == seq_time_.
void Core::step() {
    if (pc_ >= static_cast<int32_t>(program_.code.size())) throw Fault("the program ends without halt");
    const Instr& in = program_.code[static_cast<size_t>(pc_)];
    running_pc_ = pc_;
    ++spin_;
    ++report_.counters.instructions;
    if (in.spec->opcode != OP_ENDLOOP) ++seq_time_;
    if (in.spec->unit == Unit::SEQ) {
        if (scalar(in)) ++pc_;
        return;
    }
    dispatch(in);
}

/// Executes a scalar instruction; false if it set pc_ itself, or blocks (and then goes on from try_unblock).
bool Core::scalar(const Instr& in) {
    const int op = in.spec->opcode;
    auto jump = [&](bool taken) {
        if (taken) pc_ += static_cast<int32_t>(program_.slot(in, F_TARGET));
        return !taken;
    };
    switch (op) {
        case OP_NOP: return true;
        case OP_HALT: block(Blocked::HALT); return false;
        case OP_MARK: marker_ = program_.slot(in, F_ID); return true;
        case OP_MOVI:
            regs_[in.bits[F_RD]] = wrap(program_.slot(in, F_IMM) | static_cast<uint64_t>(program_.slot(in, F_IMM, 1)) << 32);
            return true;
        case OP_LOOP: {
            const int64_t count = value(in, F_COUNT), start = value(in, F_START), inc = value(in, F_INC);
            if (count <= 0) {
                pc_ += static_cast<int32_t>(program_.slot(in, F_END)) + 1;
                return false;
            }
            loops_.push_back({pc_, count, start, inc});
            regs_[in.bits[F_RD]] = start;
            return true;
        }
        case OP_ENDLOOP: {
            Loop& loop = loops_.back();
            if (--loop.left == 0) {
                loops_.pop_back();
                return true;
            }
            loop.value = wrap(static_cast<uint64_t>(loop.value) + static_cast<uint64_t>(loop.inc));
            regs_[program_.code[static_cast<size_t>(loop.pc)].bits[F_RD]] = loop.value;
            pc_ = loop.pc + 1;
            return false;
        }
        case OP_JMP: return jump(true);
        case OP_BEQ: return jump(value(in, F_X) == value(in, F_Y));
        case OP_BNE: return jump(value(in, F_X) != value(in, F_Y));
        case OP_BLT: return jump(value(in, F_X) < value(in, F_Y));
        case OP_BGE: return jump(value(in, F_X) >= value(in, F_Y));
        case OP_SLOAD: {
            const int dtype = static_cast<int>(in.bits[F_A]);
            const int64_t addr = value(in, F_A), size = kDtypeBytes[dtype];
            if (addr < 0 || addr > config_.sp_bytes - size) throw Fault("reads scratchpad byte " + std::to_string(addr) + " of " + std::to_string(config_.sp_bytes));
            if (addr % size) throw Fault("the scratchpad address " + std::to_string(addr) + " is not aligned");
            if (options_.check_hazards) {
                // What was dispatched before is not ordered after this read; what is dispatched from now on is.
                release(Q_SEQ);
                const int64_t none = 0;
                touch(sp_access_, false, Span(addr, static_cast<int>(size), 0, &none, &none), false, Q_SEQ, pc_, marker_);
            }
            report_.counters.sp_read += size;
            report_.data_dependent |= !executor_;
            regs_[in.bits[F_RD]] = executor_ ? executor_->load_integer(addr, dtype) : 0;
            return true;
        }
        case OP_FENCE:
            fence_ = in.bits[F_QUEUES];
            block(Blocked::FENCE);
            return false;
        default: regs_[in.bits[F_RD]] = alu(op, value(in, F_X), value(in, F_Y)); return true;
    }
}

void Core::dispatch(const Instr& in) {
    const bool sync = in.spec->unit == Unit::SYNC;
    const int q = sync ? static_cast<int>(in.bits[F_Q]) : in.spec->unit == Unit::MXU ? Q_MXU : in.spec->unit == Unit::VEC ? Q_VEC : static_cast<int>(in.bits[F_Q]);
    const int sem = static_cast<int>(in.bits[F_SEM]);
    int64_t n = 0;
    spin_ = 0;
    if (q >= Q_DMA0 + config_.dma_queues) throw Fault(std::string("this machine has no queue ") + kQueueNames[q]);
    if (sync) {
        n = value(in, F_N);
        if (n < 0 || n > 65535) throw Fault("a semaphore count of " + std::to_string(n));
        if (q == Q_SEQ) {
            if (in.spec->opcode == OP_SIGNAL) {
                give(sem, n, queues_[Q_SEQ].clock);
                release(Q_SEQ);
                ++pc_;
            } else {
                blocked_sem_ = sem;
                blocked_n_ = n;
                block(Blocked::SEMAPHORE);
            }
            return;
        }
    }
    Queue& queue = queues_[static_cast<size_t>(q)];
    if (queue.count == config_.queue_depth) {
        // Executed anew when there is room; until then it has not happened.
        --report_.counters.instructions;
        --seq_time_;
        blocked_queue_ = q;
        block(Blocked::FULL);
        return;
    }
    const int at = queue.head + queue.count;
    Pending& p = queue.ring[static_cast<size_t>(at >= config_.queue_depth ? at - config_.queue_depth : at)];
    p.clock = queues_[Q_SEQ].clock;
    p.pc = pc_;
    p.marker = marker_;
    if (sync) {
        p.kind = in.spec->opcode == OP_WAIT ? Pending::WAIT : Pending::SIGNAL;
        p.sem = sem;
        p.n = n;
    } else {
        p.kind = Pending::OP;
        p.op = resolve(program_, in, regs_.data(), config_);
        p.op.pc = pc_;
        p.op.marker = marker_;
        if (p.op.opcode == OP_MM_LOAD) {
            weight_k_ = p.op.k, weight_n_ = p.op.n, weight_dtype_ = p.op.a.dtype;
        } else if (p.op.opcode == OP_MM_MUL) {
            if (weight_k_ < 0) throw Fault("mm.mul without an mm.load before it");
            p.op.k = weight_k_, p.op.n = weight_n_;
            auto group = [](int t) { return t == DT_E5M2 ? DT_E4M3 : t == DT_U8 ? DT_I8 : t; };
            if (group(weight_dtype_) != group(p.op.a.dtype))
                throw Fault(std::string("activations of ") + kDtypeNames[p.op.a.dtype] + " with weights of " + kDtypeNames[weight_dtype_]);
        }
        check_addresses(p.op, config_, dram_);
    }
    ++queue.count;
    ++pc_;
    dirty_ = true;
}

/// Lets a blocked sequencer go on, if what it waits for has come.
void Core::try_unblock() {
    Counters& c = report_.counters;
    Clock& clock = queues_[Q_SEQ].clock;
    const int64_t waited = now_ - blocked_since_;
    int sem = -1;
    switch (blocked_) {
        case Blocked::NO:
        case Blocked::DONE: return;
        case Blocked::FULL:
            if (queues_[static_cast<size_t>(blocked_queue_)].count == config_.queue_depth) return;
            c.seq_full += waited;
            break;
        case Blocked::SEMAPHORE:
            if (!take(blocked_sem_, blocked_n_, clock)) return;
            c.seq_semaphore += waited;
            sem = blocked_sem_;
            ++pc_;
            break;
        case Blocked::FENCE:
        case Blocked::HALT: {
            const bool halt = blocked_ == Blocked::HALT;
            for (int q = Q_MXU; q < kQueues; ++q)
                if ((halt || fence_ >> q & 1) && !queues_[static_cast<size_t>(q)].idle()) return;
            c.seq_fence += waited;
            if (halt) {
                blocked_ = Blocked::DONE;
                return;
            }
            for (int q = Q_MXU; q < kQueues; ++q) {
                if (!(fence_ >> q & 1)) continue;
                clock.join(queues_[static_cast<size_t>(q)].clock);
                release(q);
            }
            ++pc_;
        }
    }
    slice(Q_SEQ, blocked_since_, now_, nullptr, pc_, marker_, sem);
    seq_time_ = std::max(seq_time_, now_);
    blocked_ = Blocked::NO;
}

}  // namespace sim
