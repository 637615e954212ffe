#include "core.h"

#include <algorithm>
#include <cmath>

namespace sim {

namespace {
constexpr double kDust = 1e-6;  // bytes: what rounding may leave of a transfer
constexpr int64_t kSemaphoreLimit = 65535;
constexpr int64_t kPollWork = 1 << 17;  // in steps of the event loop; some 20 ms
}  // namespace

Core::Core(const Config& config, const Options& options, const Program& program, std::vector<Segment> dram, const Kernels& kernels)
    : config_(config), options_(options), program_(program), dram_(std::move(dram)) {
    if (options.functional) executor_ = std::make_unique<Executor>(config, kernels);
    sp_access_.add(0, config.sp_bytes, false);
    for (const Segment& s : dram_)
        if (s.writable) dram_access_.add(s.address, s.address + s.bytes, true);
    for (int q = 0; q < kQueues; ++q) {
        queues_[static_cast<size_t>(q)].ring.resize(static_cast<size_t>(config.queue_depth));
        release(q);
    }
}

Report Core::run(const std::array<int64_t, kRegisters>& regs, const Poll& poll) {
    regs_ = regs;
    try {
        while (blocked_ != Blocked::DONE) {
            int64_t event = kNever;
            for (int q = Q_MXU; q < Q_DMA0 + config_.dma_queues; ++q) event = std::min(event, next_event(q));
            const bool runnable = blocked_ == Blocked::NO;
            if (runnable && seq_time_ < event) {
                // Scalar instructions touch no queue: run them until one that does, or the next event.
                now_ = seq_time_;
                step();
            } else if (event != kNever) {
                now_ = event;
                for (int q = Q_MXU; q < Q_DMA0 + config_.dma_queues; ++q)
                    if (next_event(q) == now_) on_event(q);
            } else {
                report_.stop = Stop::HANG;
                report_.message = deadlock();
                report_.pc = pc_;
                break;
            }
            settle();
            if (now_ > options_.max_cycles || report_.counters.instructions > options_.max_instructions) {
                report_.stop = Stop::LIMIT;
                report_.pc = pc_;
                report_.message = now_ > options_.max_cycles ? "max_cycles is exceeded" : "max_instructions is exceeded";
                break;
            }
            if (spin_ > options_.spin_limit) {
                report_.stop = Stop::HANG;
                report_.pc = pc_;
                report_.message = "the sequencer executed " + std::to_string(spin_) + " instructions without dispatching one: an endless loop";
                break;
            }
            if (++work_ > kPollWork) {
                work_ = 0;
                if (!poll()) continue;
                report_.stop = Stop::INTERRUPTED;
                break;
            }
        }
    } catch (const Fault& fault) {
        report_.stop = Stop::FAULT;
        report_.message = fault.what();
        report_.pc = running_pc_;
        report_.marker = marker_;
    }
    report_.counters.cycles = std::max(now_, seq_time_);
    return std::move(report_);
}

// ---- events ----

int64_t Core::transfer_end(const Flight& f) const {
    const double share = config_.dram_bytes_per_cycle / std::max(1, active_transfers());
    const int64_t wire = f.left > kDust ? dram_updated_ + static_cast<int64_t>(std::ceil((f.left - kDust) / share)) : dram_updated_;
    return std::max({f.end, wire, now_});
}

int Core::active_transfers() const {
    int n = 0;
    for (int q = Q_DMA0; q < Q_DMA0 + config_.dma_queues; ++q) {
        const auto& flights = queues_[static_cast<size_t>(q)].flights;
        n += !flights.empty() && flights.front().moving && flights.front().left > kDust;
    }
    return n;
}

/// Brings `left` of every transfer up to now.
void Core::update_dram() {
    if (dram_updated_ == now_) return;
    const int n = active_transfers();
    const double moved = static_cast<double>(now_ - dram_updated_) * config_.dram_bytes_per_cycle / std::max(1, n);
    for (int q = Q_DMA0; q < Q_DMA0 + config_.dma_queues; ++q) {
        auto& flights = queues_[static_cast<size_t>(q)].flights;
        if (flights.empty() || !flights.front().moving) continue;
        double& left = flights.front().left;
        left = std::max(0.0, left - moved);
        if (left <= kDust) left = 0;
    }
    dram_updated_ = now_;
}

int64_t Core::next_event(int q) const {
    const Queue& queue = queues_[static_cast<size_t>(q)];
    int64_t t = kNever;
    if (!queue.flights.empty()) {
        const Flight& f = queue.flights.front();
        t = q < Q_DMA0 ? f.end : f.moving ? transfer_end(f) : std::max(f.ready, now_);
    }
    if (queue.count && queue.wait_since < 0 && q < Q_DMA0 && queue.free_at > now_) t = std::min(t, queue.free_at);
    return t;
}

void Core::on_event(int q) {
    Queue& queue = queues_[static_cast<size_t>(q)];
    dirty_ = true;
    if (queue.flights.empty()) return;
    Flight& f = queue.flights.front();
    if (q < Q_DMA0) {
        if (f.end == now_) complete(q);
        return;
    }
    update_dram();
    if (f.moving) {
        if (f.left <= kDust && f.end <= now_) complete(q);
        return;
    }
    f.moving = true;
    f.began = now_;
    f.left = static_cast<double>(f.op.bus_bytes);
    f.end = now_ + f.op.cycles;
    report_.counters.stall_latency[q] += now_ - f.start;
}

void Core::complete(int q) {
    Queue& queue = queues_[static_cast<size_t>(q)];
    Flight& f = queue.flights.front();
    running_pc_ = f.op.pc;
    if (executor_) {
        executor_->execute(f.op);
        work_ += (f.op.vec_ops >> 7) + (f.op.macs >> 12) + ((f.op.sp_read + f.op.sp_written) >> 10);
    }
    if (q >= Q_DMA0) {
        report_.counters.busy[q] += now_ - f.began;
        const auto alone = static_cast<int64_t>(std::ceil(static_cast<double>(f.op.bus_bytes) / config_.dram_bytes_per_cycle));
        report_.counters.stall_dram[q] += std::max<int64_t>(0, now_ - f.began - std::max(alone, f.op.cycles));
    }
    slice(q, f.start, now_, &f.op, f.op.pc, f.op.marker, -1);
    for (const Signal& s : f.signals) give(s.sem, s.n, s.clock);
    queue.flights.pop_front();
    queue.idle_since = now_;
    dirty_ = true;
}

/// Lets everyone go on that can, until nothing changes.
void Core::settle() {
    while (dirty_) {
        dirty_ = false;
        for (int q = Q_MXU; q < Q_DMA0 + config_.dma_queues; ++q)
            while (advance(q)) dirty_ = true;
        try_unblock();
    }
}

/// Takes the next entry of a queue, if it may go.
bool Core::advance(int q) {
    Queue& queue = queues_[static_cast<size_t>(q)];
    if (!queue.count) return false;
    Pending& p = queue.front();
    if (p.kind == Pending::WAIT) {
        // A wait comes after what precedes it has started; it holds back what follows.
        if (!take(p.sem, p.n, queue.clock)) {
            if (queue.wait_since < 0) queue.wait_since = now_;
            return false;
        }
        if (queue.wait_since >= 0) {
            // It is a stall from when the unit has run dry.
            const int64_t from = queue.flights.empty() ? std::max(queue.wait_since, queue.idle_since) : now_;
            report_.counters.stall_semaphore[q] += now_ - from;
            slice(q, from, now_, nullptr, p.pc, p.marker, p.sem);
            queue.wait_since = -1;
        }
        queue.clock.join(p.clock);
        pop(q);
        return true;
    }
    if (p.kind == Pending::SIGNAL) {
        queue.clock.join(p.clock);
        if (queue.flights.empty()) give(p.sem, p.n, queue.clock);
        else queue.flights.back().signals.push_back({p.sem, p.n, queue.clock});
        release(q);
        pop(q);
        return true;
    }
    if (q < Q_DMA0 ? queue.free_at > now_ : queue.flights.size() > 1 || (queue.flights.size() == 1 && !queue.flights.front().moving))
        return false;
    start(q, p);
    pop(q);
    return true;
}

void Core::pop(int q) {
    Queue& queue = queues_[static_cast<size_t>(q)];
    queue.head = queue.head + 1 == config_.queue_depth ? 0 : queue.head + 1;
    --queue.count;
    dirty_ = true;
}

void Core::start(int q, Pending& p) {
    Queue& queue = queues_[static_cast<size_t>(q)];
    queue.clock.join(p.clock);
    running_pc_ = p.op.pc;
    price(p.op, config_, queue.previous_stream);
    register_access(p.op, q);
    account(p.op, q);
    if (q == Q_MXU) queue.previous_stream = p.op.opcode == OP_MM_MUL ? p.op.cycles : 0;
    Flight& f = queue.flights.emplace_back();
    f.op = p.op;
    f.start = now_;
    if (q < Q_DMA0) {
        queue.free_at = now_ + p.op.cycles;
        f.end = now_ + p.op.latency;
        report_.counters.busy[q] += p.op.cycles;
    } else {
        f.ready = now_ + p.op.latency;
    }
}

void Core::account(const Op& op, int q) {
    Counters& c = report_.counters;
    ++c.executed[q];
    c.sp_read += op.sp_read;
    c.sp_written += op.sp_written;
    c.vec_ops += op.vec_ops;
    if (op.macs) c.macs[op.a.dtype] += op.macs;
    (op.is_load() ? c.dram_read : c.dram_written) += op.dram_bytes;
    (op.is_load() ? c.dram_bus_read : c.dram_bus_written) += op.bus_bytes;
}

// ---- semaphores ----

bool Core::take(int sem, int64_t n, Clock& clock) {
    Semaphore& s = semaphores_[static_cast<size_t>(sem)];
    if (s.count < n) return false;
    s.count -= n;
    while (n > 0) {
        Token& t = s.tokens.front();
        clock.join(t.clock);
        const int64_t used = std::min(n, t.n);
        n -= used;
        if ((t.n -= used) == 0) s.tokens.pop_front();
    }
    return true;
}

void Core::give(int sem, int64_t n, const Clock& clock) {
    Semaphore& s = semaphores_[static_cast<size_t>(sem)];
    if (s.count + n > kSemaphoreLimit) throw Fault("semaphore s" + std::to_string(sem) + " exceeds " + std::to_string(kSemaphoreLimit));
    if (n == 0) return;
    s.count += n;
    s.tokens.push_back({n, clock});
    dirty_ = true;
}

// ---- hazards ----

void Core::touch(AccessMap& map, bool dram, const Span& span, bool write, int q, int32_t pc, uint32_t marker) {
    const Clock& clock = queues_[static_cast<size_t>(q)].clock;
    auto report = [&](Hazard::Kind kind, int64_t low, int64_t high, int other, int32_t other_pc) {
        for (Hazard& h : report_.hazards) {
            if (h.kind == kind && h.pc == pc && h.other_pc == other_pc && h.dram == dram && h.queue == q && h.other_queue == other) {
                if (h.cycle == now_) h.low = std::min(h.low, low), h.high = std::max(h.high, high);
                return;
            }
        }
        if (static_cast<int>(report_.hazards.size()) >= options_.max_hazards) {
            ++report_.hazards_dropped;
            return;
        }
        report_.hazards.push_back({kind, dram, pc, other_pc, q, other, marker, low, high, now_});
    };
    const AccessMap::Conflict conflict = report;
    span.runs([&](int64_t low, int64_t high) { map.access(low, high, write, q, clock, pc, conflict); });
}

void Core::register_access(const Op& op, int q) {
    if (!options_.check_hazards || (op.opcode != OP_MM_LOAD && op.elements() == 0)) return;
    footprint(op, [&](const Span& span, bool dram, bool write) {
        touch(dram ? dram_access_ : sp_access_, dram, span, write, q, op.pc, op.marker);
    });
}

// ---- reports ----

void Core::slice(int q, int64_t start, int64_t end, const Op* op, int32_t pc, uint32_t marker, int sem) {
    if (!options_.trace || start == end) return;
    if (static_cast<int64_t>(report_.trace.size()) >= options_.max_trace) {
        ++report_.trace_dropped;
        return;
    }
    const int64_t bytes = op ? (q >= Q_DMA0 ? op->bus_bytes : op->sp_read + op->sp_written) : 0;
    report_.trace.push_back({start, end, bytes, pc, sem, marker, q});
}

std::string Core::deadlock() const {
    auto sem = [&](int s, int64_t n) {
        return "s" + std::to_string(s) + " >= " + std::to_string(n) + " (it is " + std::to_string(semaphores_[static_cast<size_t>(s)].count) + ")";
    };
    std::string text = "deadlock:";
    for (int q = Q_MXU; q < Q_DMA0 + config_.dma_queues; ++q) {
        const Queue& queue = queues_[static_cast<size_t>(q)];
        if (!queue.count) continue;
        const Pending& p = queue.ring[static_cast<size_t>(queue.head)];
        text += std::string(" ") + kQueueNames[q] + " waits at instruction " + std::to_string(p.pc) + " for " + sem(p.sem, p.n) + ";";
    }
    text += " the sequencer, at instruction " + std::to_string(pc_) + ", ";
    switch (blocked_) {
        case Blocked::FULL: return text + "waits for a place in the full queue " + kQueueNames[blocked_queue_];
        case Blocked::SEMAPHORE: return text + "waits for " + sem(blocked_sem_, blocked_n_);
        case Blocked::FENCE: return text + "waits at a fence";
        default: return text + "waits at halt";
    }
}

}  // namespace sim
