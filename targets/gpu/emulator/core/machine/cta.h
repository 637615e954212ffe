// A thread block, and the cluster that it is part of.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "machine/warp.h"

namespace emu {

struct Cluster;
struct Worker;

/// One of the sixteen barriers of a CTA (bar, barrier). Threads that arrive are counted; ops/barrier.cpp runs it.
struct Barrier {
    uint32_t arrived = 0;      // threads, in this phase
    uint32_t expected = 0;     // threads; 0: nobody came yet
    uint64_t generation = 0;   // phases complete
    bool counted = false;      // `expected` was given by an instruction; else all live threads of the CTA
    std::vector<Mask> came;    // by warp: lanes counted in this phase (those that are over come with their warp's first)
    // barrier.red: gathered in this phase
    uint32_t count = 0;
    bool reduces = false, all = true, any = false;
    uint8_t action = 0;        // of the phase's first arrival: 1 sync or arrive, 2 red.popc, 3 red.and, 4 red.or
};

struct Cta {
    Launch* launch = nullptr;
    Cluster* cluster = nullptr;
    uint64_t index = 0;              // linear in the grid
    uint32_t id[3] = {0, 0, 0};      // %ctaid
    uint32_t rank = 0;               // in the cluster
    uint32_t rank_id[3] = {0, 0, 0}; // %cluster_ctaid
    uint32_t threads = 0;
    uint32_t exited = 0;             // threads that are over
    std::vector<std::unique_ptr<Warp>> warps;
    std::vector<uint8_t> shared_bytes;
    Region shared;                   // offset 0 is shared address kSharedStart
    Region reserved;                 // what lies below, where the program may use it
    std::vector<uint8_t> reserved_bytes;
    Barrier barriers[16];
    std::map<uint64_t, uint64_t> mbarriers;  // sanitizing: offset in `shared` of those that live, phases complete
    std::vector<uint8_t> registers, local;  // of all warps
    void* sanitizer_state = nullptr;
    uint32_t live_threads() const { return threads - exited; }
};

/// CTAs that are resident together; one CTA where the launch has no clusters. One thread of the host runs a cluster.
struct Cluster {
    uint64_t index = 0;
    uint32_t id[3] = {0, 0, 0};      // %clusterid
    std::vector<std::unique_ptr<Cta>> ctas;
    // barrier.cluster
    uint32_t arrived = 0;            // threads
    uint64_t generation = 0;
    uint32_t threads() const { uint32_t n = 0; for (auto& c : ctas) n += c->threads; return n; }
    uint32_t live_threads() const { uint32_t n = 0; for (auto& c : ctas) n += c->live_threads(); return n; }
};

/// Makes `cluster` the `index`-th of the launch, at its beginning. Memory of a finished one is used again.
/// `constants`: the program's, 64-byte aligned.
void start_cluster(Cluster& cluster, Launch& launch, Worker& worker, const uint8_t* constants, uint64_t index);

}  // namespace emu
