// One launch of a kernel: what it is given, and what it reports.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "machine/cta.h"
#include "machine/program.h"

namespace emu {

struct Finding {
    Kind kind;
    uint32_t pc = 0;
    uint32_t block[3] = {0, 0, 0};
    uint32_t thread[3] = {0, 0, 0};
    uint64_t address = 0;
    uint64_t count = 1;       // how often at this pc
    std::string message;
};

/// What each instruction of a program did; by pc. Bytes and sectors are of memory instructions.
struct Count {
    uint64_t warps = 0;       // warp instructions
    uint64_t lanes = 0;       // thread instructions
};
struct MemoryCount {
    uint64_t requests = 0;    // warp-level
    uint64_t bytes = 0;       // that lanes asked for
    uint64_t sectors = 0;     // 32-byte sectors touched, of each request
    uint64_t wavefronts = 0;  // shared memory: passes over the 32 banks
    uint64_t ideal = 0;       // shared memory: passes it would take without conflicts
};
struct Counters {
    std::vector<Count> executed;
    std::vector<MemoryCount> memory;
    std::vector<uint64_t> flops;     // of matrix instructions
    uint64_t barriers = 0;           // barrier phases completed, of CTAs and clusters
    void add(const Counters& other);
};

struct Options {
    uint32_t grid[3] = {1, 1, 1}, block[3] = {1, 1, 1}, cluster[3] = {1, 1, 1};
    uint64_t dynamic_shared = 0;         // bytes
    bool sanitize = false;
    bool cooperative = false;            // all CTAs resident, or an error
    uint32_t threads = 1;                // of the host
    uint64_t max_steps = uint64_t{1} << 30;  // warp instructions
    uint64_t stack_bytes = 16384;        // of a thread, for recursion
    uint32_t max_findings = 1000;
    uint32_t multiprocessors = 132;      // of an H100: how many CTAs can be resident, where CTAs wait for each other
};

/// A launch that cannot be (a block too large, arguments that do not fit, ...).
struct LaunchError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One thread of the host, and its counters.
struct Worker {
    Counters counters;
    uint64_t steps = 0;              // warp instructions executed; the clock of %clock and %globaltimer
    std::vector<uint8_t> scratch;    // for handlers
    Region* recent[64] = {};         // the global region that an instruction met last, by the low bits of its pc
};

struct Launch {
    const Program* program = nullptr;
    Options options;
    AddressMap* memory = nullptr;        // global memory and module variables
    std::vector<uint8_t> parameters;     // the kernel's; param space
    Region parameter_region;

    std::unique_ptr<Sanitizer> sanitizer;
    std::atomic<bool> stop{false};       // end as soon as may be: a fault, step limit, interrupt
    std::atomic<uint64_t> steps{0};      // warp instructions of all workers
    std::mutex mutex;                    // of the following
    std::vector<Finding> findings;
    std::string output;                  // printf
    // Memory of device-side malloc and the grid barrier; regions in `memory`.
    std::vector<std::unique_ptr<Region>> own_regions;
    std::vector<std::unique_ptr<uint8_t[]>> own_memory;
    std::shared_ptr<void> heap;          // of malloc and free; ops/system_heap.cpp's
    uint64_t grid_workspace = 0;         // address of what %envreg1 and 2 point to, in a cooperative launch

    Launch();
    ~Launch();
    void report(Finding finding);
    /// The three coordinates of linear index `i` in `extent`.
    static void unravel(uint64_t i, const uint32_t* extent, uint32_t* out);
};

/// Runs it to its end. `poll` is called now and then; true ends it. Returns the counters of all workers.
/// Throws LaunchError before anything ran.
Counters run(Launch& launch, bool (*poll)(void*), void* context);

}  // namespace emu
