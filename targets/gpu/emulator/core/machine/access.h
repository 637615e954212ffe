// How memory is accessed and ordered, in the words of the PTX memory model.
#pragma once
#include <cstdint>

namespace emu {

enum class Order : uint8_t { weak, relaxed, acquire, release, acq_rel, sc };  // volatile counts as relaxed.sys
enum class Scope : uint8_t { cta, cluster, gpu, sys };

/// Who touches the memory: ordinary instructions, or the asynchronous proxy (bulk copies, wgmma), or the tensor map's.
enum class Proxy : uint8_t { generic, async, tensormap };

struct Access {
    bool read = false, write = false;
    bool atomic = false;               // read-modify-write
    Order order = Order::weak;
    Scope scope = Scope::sys;
    Proxy proxy = Proxy::generic;
    static constexpr Access load() { return {.read = true}; }
    static constexpr Access store() { return {.write = true}; }
};

/// What a finding says; the names are the report's.
enum class Kind : uint8_t {
    race, uninitialized, out_of_bounds, misaligned, async_before_wait, missing_proxy_fence, mbarrier_misuse,
    barrier_divergence, deadlock, trap, step_limit,
};

/// The queues in which asynchronous work waits to be waited for.
enum class Queue : uint8_t {
    cp_async,    // cp.async, by thread: commit_group, wait_group, wait_all, mbarrier.arrive
    bulk_group,  // cp.async.bulk with .bulk_group, by thread
    wgmma,       // by warp
    mbarrier,    // completes on an mbarrier
};

}  // namespace emu
