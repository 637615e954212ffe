// What the core simulates, in cycles and bytes, and what it reports. No Python in it.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "isa_table.h"

namespace sim {

struct Config {
    int array = 16;                     // side of the matrix array, S
    int64_t sp_bytes = 256 << 10;       // scratchpad capacity
    double sp_bytes_per_cycle = 256;    // of each of the matrix and vector unit's ports
    int64_t sp_word_bytes = 32;         // bandwidth that a strided access takes
    double dram_bytes_per_cycle = 16;   // shared by the DMA queues
    int64_t dram_latency = 100;         // cycles
    int64_t burst_bytes = 64;           // a contiguous run in DRAM is rounded up to this
    int dma_queues = 2;
    int64_t dma_startup = 16;           // cycles
    double dma_bytes_per_cycle = 64;    // of one DMA queue, scratchpad side
    int queue_depth = 16;
    int64_t vec_startup = 8;            // cycles
    int weight_buffers = 1;
    // Cycles a row of mm.mul takes, as a fraction, by type; 0/0 where the machine has no such matrix format.
    int64_t row_num[kDtypes] = {}, row_den[kDtypes] = {};
    int64_t lanes[kDtypes] = {};
    int64_t vec_cycles[kCosts] = {};
};

struct Options {
    bool functional = true;
    bool check_hazards = true;
    bool trace = false;
    int64_t max_cycles = INT64_MAX;
    int64_t max_instructions = INT64_MAX;
    int64_t spin_limit = 1 << 26;  // sequencer instructions without anything dispatched: an endless loop
    int64_t max_trace = 1 << 22;   // slices
    int max_hazards = 100;
};

struct Segment {
    int64_t address;
    int64_t bytes;
    uint8_t* data;
    bool writable;
};

/// A program that is not one. The message names the word.
struct FormatError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class Stop : int { DONE, FAULT, HANG, LIMIT, INTERRUPTED };

struct Hazard {
    enum Kind : int { RAW, WAR, WAW, UNWRITTEN } kind;
    bool dram;
    int32_t pc;        // the later instruction
    int32_t other_pc;  // what it conflicts with; -1 for UNWRITTEN
    int queue, other_queue;
    uint32_t marker;
    int64_t low, high;  // the bytes [low, high) that conflict
    int64_t cycle;
};

/// What a queue did in [start, end). `stall` is the semaphore waited for, or -1 for an instruction at work.
struct Slice {
    int64_t start, end, bytes;
    int32_t pc, stall;
    uint32_t marker;
    int32_t queue;
};

struct Counters {
    int64_t cycles = 0;
    int64_t instructions = 0;
    int64_t seq_full = 0, seq_semaphore = 0, seq_fence = 0;  // the sequencer's stalls, cycles
    int64_t busy[kQueues] = {}, stall_semaphore[kQueues] = {}, stall_latency[kQueues] = {}, stall_dram[kQueues] = {};
    int64_t executed[kQueues] = {};
    int64_t dram_read = 0, dram_written = 0;          // useful bytes
    int64_t dram_bus_read = 0, dram_bus_written = 0;  // with bursts rounded up
    int64_t sp_read = 0, sp_written = 0;
    int64_t macs[kDtypes] = {};
    int64_t vec_ops = 0;
};

struct Report {
    Stop stop = Stop::DONE;
    std::string message;  // of a fault, hang or limit
    int32_t pc = -1;
    uint32_t marker = 0;
    bool data_dependent = false;  // a timing-only run executed sload
    Counters counters;
    std::vector<Hazard> hazards;
    int64_t hazards_dropped = 0;
    std::vector<Slice> trace;
    int64_t trace_dropped = 0;
};

}  // namespace sim
