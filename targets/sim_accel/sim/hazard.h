// Which accesses no chain of semaphores, fences and dispatches orders: vector clocks over byte ranges.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>

#include "config.h"

namespace sim {

/// clock[q]: up to which epoch of queue q everything has happened before.
struct Clock {
    std::array<uint32_t, kQueues> at{};

    void join(const Clock& o) {
        for (int q = 0; q < kQueues; ++q) at[q] = at[q] < o.at[q] ? o.at[q] : at[q];
    }
};

/// The last accesses of every byte of one memory.
class AccessMap {
public:
    using Conflict = std::function<void(Hazard::Kind, int64_t low, int64_t high, int other_queue, int32_t other_pc)>;

    /// `written`: whether the contents are defined from the start.
    void add(int64_t low, int64_t high, bool written);

    void access(int64_t low, int64_t high, bool write, int queue, const Clock& clock, int32_t pc, const Conflict& report);

private:
    struct Mark {
        uint32_t epoch = 0;  // 0: never
        int32_t pc = -1;
        bool operator==(const Mark&) const = default;
    };
    struct Range {
        int64_t high = 0;
        int writer = -1;  // queue; -1: nobody, -2: defined from the start
        Mark write;
        uint32_t readers = 0;  // queues with a mark in `read`
        std::array<Mark, kQueues> read{};
    };
    using Ranges = std::map<int64_t, Range>;

    Ranges::iterator split(int64_t at);

    Ranges ranges_;
};

}  // namespace sim
