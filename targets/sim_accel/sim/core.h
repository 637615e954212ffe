// The simulated core: a sequencer and its queues, driven by events in time order.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config.h"
#include "decode.h"
#include "exec.h"
#include "hazard.h"
#include "op.h"

namespace sim {

class Core {
public:
    using Poll = std::function<bool()>;  // asked now and then; true ends the run

    Core(const Config& config, const Options& options, const Program& program, std::vector<Segment> dram, const Kernels& kernels);

    Report run(const std::array<int64_t, kRegisters>& regs, const Poll& poll);

private:
    static constexpr int64_t kNever = INT64_MAX;

    struct Signal {
        int sem;
        int64_t n;
        Clock clock;
    };
    struct Pending {  // dispatched, not yet started
        enum { OP, WAIT, SIGNAL } kind = OP;
        int sem = 0;
        int64_t n = 0;
        Clock clock;  // the sequencer's, at dispatch
        Op op;
        int32_t pc = 0;
        uint32_t marker = 0;
    };
    struct Flight {  // started, not yet complete
        Op op;
        int64_t start = 0;
        int64_t ready = 0;    // DMA: when its latency is over
        int64_t end = 0;      // when it completes (DMA: the earliest, from the scratchpad side)
        bool moving = false;  // DMA: transferring
        int64_t began = 0;    // DMA: when the transfer began
        double left = 0;      // DMA: bus bytes still to come
        std::vector<Signal> signals;
    };
    struct Queue {
        std::vector<Pending> ring;  // queue_depth entries
        int head = 0, count = 0;
        std::deque<Flight> flights;
        int64_t free_at = 0;     // when the unit takes the next instruction
        int64_t wait_since = -1; // blocked on a semaphore since
        int64_t idle_since = 0;  // when the last flight ended
        int64_t previous_stream = 0;
        Clock clock;

        bool idle() const { return !count && flights.empty(); }
        Pending& front() { return ring[static_cast<size_t>(head)]; }
    };
    struct Token {
        int64_t n;
        Clock clock;
    };
    struct Semaphore {
        int64_t count = 0;
        std::deque<Token> tokens;
    };
    struct Loop {
        int32_t pc;
        int64_t left, value, inc;
    };
    enum class Blocked { NO, FULL, SEMAPHORE, FENCE, HALT, DONE };

    // Sequencer (sequencer.cpp)
    void step();
    bool scalar(const Instr& in);
    void dispatch(const Instr& in);
    void try_unblock();
    void block(Blocked why);
    int64_t value(const Instr& in, FieldId f) const { return read_value(program_.slot(in, f), regs_.data()); }

    // Queues (core.cpp)
    int64_t next_event(int q) const;
    void on_event(int q);
    void settle();
    bool advance(int q);
    void start(int q, Pending& p);
    void complete(int q);
    void pop(int q);
    void update_dram();
    int64_t transfer_end(const Flight& f) const;
    int active_transfers() const;

    bool take(int sem, int64_t n, Clock& clock);
    void give(int sem, int64_t n, const Clock& clock);
    void release(int q) { ++queues_[static_cast<size_t>(q)].clock.at[static_cast<size_t>(q)]; }
    void register_access(const Op& op, int q);
    void touch(AccessMap& map, bool dram, const Span& span, bool write, int q, int32_t pc, uint32_t marker);
    void account(const Op& op, int q);
    void slice(int q, int64_t start, int64_t end, const Op* op, int32_t pc, uint32_t marker, int sem);
    std::string deadlock() const;
    std::string fault_context(int32_t pc) const;

    const Config& config_;
    const Options& options_;
    const Program& program_;
    std::vector<Segment> dram_;
    std::unique_ptr<Executor> executor_;
    AccessMap sp_access_, dram_access_;
    Report report_;

    int64_t now_ = 0;
    int64_t work_ = 0;  // since `poll` was last asked
    std::array<Queue, kQueues> queues_;
    std::array<Semaphore, kSemaphores> semaphores_;
    bool dirty_ = false;  // a semaphore or a queue changed: someone may go on
    int64_t dram_updated_ = 0;

    std::array<int64_t, kRegisters> regs_{};
    int32_t pc_ = 0;
    int64_t seq_time_ = 0;
    int64_t spin_ = 0;
    uint32_t marker_ = 0;
    Blocked blocked_ = Blocked::NO;
    int64_t blocked_since_ = 0;
    int blocked_queue_ = 0, blocked_sem_ = 0;
    int64_t blocked_n_ = 0;
    uint32_t fence_ = 0;
    std::vector<Loop> loops_;
    int64_t weight_k_ = -1, weight_n_ = -1;  // of the last mm.load dispatched
    int weight_dtype_ = -1;
    int32_t running_pc_ = -1;  // for messages of faults
};

}  // namespace sim
