// The sanitizer: keeps the clocks of all actors and the history of all memory, and reports what nothing orders.
//
//   checker.cpp   life of CTAs, finding names, who knows of what
//   access.cpp    reads and writes against the history of each word
//   quick.cpp     the same for the usual access of a warp, many lanes at a time
//   order.cpp     barriers, fences, releases and acquires
//   async.cpp     asynchronous copies and matrix instructions, and the registers these use
#pragma once
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "machine/cta.h"
#include "machine/launch.h"
#include "sanitizer/clocks.h"
#include "sanitizer/sanitizer.h"
#include "sanitizer/shadow.h"

namespace emu {

struct SyncKeyHash {
    size_t operator()(const SyncKey& k) const {
        return std::hash<const void*>()(k.object) ^ (k.part * 0x9e3779b97f4a7c15ull);
    }
};

class [[gnu::visibility("hidden")]] Checker : public Sanitizer {
public:
    explicit Checker(Launch& launch) : launch_(launch) {
        static std::atomic<uint64_t> launches{0};
        number_ = ++launches;
    }

    void begin(Cta&) override;
    void end(Cta&) override;
    void access(Warp&, const Inst&, Mask, const Resolved&, uint32_t bytes, const Access&) override;
    void access_one(Warp&, const Inst&, int lane, Region&, uint64_t offset, uint64_t bytes, const Access&) override;
    void arrive(Warp&, Mask, SyncKey, bool relaxed) override;
    void complete(SyncKey) override;
    void wait(Warp&, Mask, SyncKey, bool relaxed) override;
    void forget(SyncKey) override;
    void fence(Warp&, Mask, Order, Scope) override;
    void proxy_fence(Warp&, const Inst&, Mask, Proxy) override;
    void async_access(Warp&, const Inst&, int lane, Region&, uint64_t offset, uint64_t bytes, bool write, Queue, SyncKey,
                      bool atomic, bool generic) override;
    void async_commit(Warp&, Mask, Queue) override;
    void async_wait(Warp&, Mask, Queue, uint32_t pending, bool reads_only, bool all) override;
    void async_arrive(Warp&, Mask, SyncKey) override;
    void registers_in_flight(Warp&, const Inst&, const Slot*, uint32_t count, bool write) override;
    void wgmma_fence(Warp&, Mask) override;
    void check_registers(Warp&, const Inst&) override;

private:
    /// Who acts, at what clock, on whose behalf: what it knows is what the thread knows.
    struct Act {
        Warp* warp;
        const Inst* inst;
        int lane;
        ThreadClock* thread;
        CtaClock* cta;
        uint64_t who;
        uint32_t clock;
        bool write;
        bool strong;
        uint32_t flags;    // of Epoch
        bool reads_values; // looks at what was written: unwritten bytes matter
        Proxy proxy;
        bool in_flight;    // the act itself ends later
        uint64_t base = 0; // the address of the region's first byte, as the instruction sees it
        // The last actor asked about, and up to which clock it is known: accesses come in runs.
        uint64_t asked = 0;
        uint32_t known = 0, fenced = 0;
    };

    static CtaClock& clock_of(Warp& w) { return *static_cast<CtaClock*>(w.cta->sanitizer_state); }
    static ThreadClock& thread_of(Warp& w, int lane) { return clock_of(w).thread[w.thread(lane)]; }
    RegionShadow& shadow_of(Region&);
    Act act(Warp&, const Inst&, int lane, const Access&);
    static void become(Act&, int lane);

    // Up to which clock of actor `who` the acting thread knows (fenced: as visible to the asynchronous proxy).
    void ask(Act&, uint64_t who) const;
    bool knows(Act& a, const Epoch& e) const;
    void check_bytes(Act&, Region&, RegionShadow&, uint64_t offset, uint64_t bytes);
    void check_run(Act&, Region&, RegionShadow&, uint64_t offset, uint64_t bytes);
    void check_cell(Act&, Region&, RegionShadow&, Cell&, uint64_t offset, uint32_t bytes);
    void check_written(Act&, Region&, uint64_t offset, uint64_t bytes);
    void mark_written(Region&, uint64_t offset, uint64_t bytes);
    void note_read(Act&, RegionShadow&, Cell&);
    void note_write(Act&, RegionShadow&, Cell&);
    void add(Act&, std::vector<Reader>&, const Reader& now) const;
    static Reader entry(const Act&);
    bool coherent(const Act&, uint64_t who, uint32_t pc) const;
    bool same_copy(const Act&, const Epoch&) const;
    bool check_order(Act&, Region&, uint64_t offset, uint32_t bytes, const Reader& earlier, bool earlier_write);
    bool is_generic(const Act&, uint64_t who) const;
    static uint64_t base_of(const Warp&, const Region&);
    bool ended(Act&, const Region&, uint64_t offset) const;
    void check_end(Cta&);
    bool knows_reader(Act&, const Reader&) const;
    static void make_classes(Warp&, CtaClock&);
    bool access_quickly(Warp&, const Inst&, Mask, const Resolved&, uint32_t bytes, const Access&);
    /// A thread's clocks change: its warp's classes are to be made again.
    static void touch(CtaClock& cta, uint32_t thread) { cta.warp[thread / kLanes].stale = true; }
    void conflict(Act&, Region&, uint64_t offset, uint32_t bytes, const Epoch& earlier, bool earlier_write);
    void synchronise(Warp&, const Inst&, int lane, Region&, uint64_t offset, const Access&);

    Released release(const CtaClock&, const ThreadClock&, uint32_t thread) const;
    static ThreadClock::Snapshot snapshot(const ThreadClock&, Scope);
    Released released(const CtaClock&, uint32_t thread, const ThreadClock::Snapshot&) const;
    void acquire(CtaClock&, ThreadClock&, uint32_t thread, const Released&);
    void arrive_relaxed(Warp&, Mask, SyncKey);
    void arrive_fences(Warp&, Mask, Sync&);
    static void take_fences(Warp&, Mask, const Sync&);
    ThreadClock::Groups& groups_of(Warp&, int lane, Queue, bool write);

    std::string cure(const Act&, const Actor& earlier, bool write) const;
    std::string describe(uint64_t who) const;
    std::string where(const Region&, uint64_t offset) const;
    std::string line_of(uint32_t pc) const;
    std::unique_lock<std::mutex> lock();

    Launch& launch_;
    uint64_t number_;  // of the launch in this process; an address would come again
    std::mutex mutex_;  // of everything, where several threads of the host run
    std::unordered_map<uint64_t, std::unique_ptr<CtaClock>> ctas_;
    std::unordered_map<SyncKey, Sync, SyncKeyHash> syncs_;
    uint64_t found_ = 0;  // findings of accesses
    /// What check_run made of the last word: the next one is likely to be the same case.
    struct Run {
        const RegionShadow* shadow = nullptr;
        const ThreadClock* thread = nullptr;
        uint64_t who = 0, generation = ~uint64_t{0};
        uint32_t clock = 0;
        bool write = false;
        Proxy proxy = Proxy::generic;
        Epoch written;
        Reader before, after;
    } run_;
};

}  // namespace emu
