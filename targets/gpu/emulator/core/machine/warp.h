// A warp: 32 lanes, their registers, and the places in the program where they are.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "machine/inst.h"
#include "machine/memory.h"
#include "machine/program.h"

namespace emu {

struct Cta;
struct Launch;
struct Worker;
class Sanitizer;

/// Why some lanes of a warp do not run.
struct Wait {
    enum What : uint8_t {
        nothing,      // they run
        converge,     // at an instruction that wants lanes of other splits with it
        poll,         // `ready` says
        yield,        // one round of the others, then on
    } what = nothing;
    /// Of a poll: may the split go on? Called by the scheduler; no side effects.
    bool (*ready)(const Warp&, const Wait&) = nullptr;
    /// Of a poll, for a deadlock's message: "mbarrier 0x400 phase 1", "barrier 0 (96 of 128 threads arrived)".
    std::string (*describe)(const Warp&, const Wait&) = nullptr;
    uint64_t x = 0, y = 0;      // for them
    void* object = nullptr;     // for them
    Mask members = 0;           // of converge
    uint32_t patience = 0;      // of a poll that may give up: released as not ready after so many idle rounds; 0: never
};

/// Lanes of a warp that are at the same place.
struct Split {
    uint32_t pc = 0;
    Mask mask = 0;
    uint32_t order = 0;              // see BlockOrder
    bool retried = false;            // the instruction at pc is run again after a wait
    bool gave_up = false;            // ... whose patience ended: it runs as if it were ready
    bool forced = false;             // converge did not come to be
    Wait wait;
    uint64_t turn = 0;               // when it ran last
    std::vector<uint32_t> calls;     // return addresses; the function of each follows from the pc before it
};

struct Warp {
    uint8_t* base[2] = {nullptr, nullptr};  // registers, constants
    Cta* cta = nullptr;
    Launch* launch = nullptr;
    Worker* worker = nullptr;
    const Program* program = nullptr;
    Sanitizer* sanitizer = nullptr;  // null: not sanitizing
    uint32_t index = 0;              // in its CTA
    uint32_t thread0 = 0;            // linear index in the CTA of lane 0
    Mask threads = 0;                // lanes that exist
    Mask live = 0;                   // and have not exited

    // The running split; `others` are those that do not run now.
    Split now;
    std::vector<Split> others;
    bool event = false;              // something for the scheduler after this instruction
    bool registers_in_flight = false;
    uint8_t watch = 0;               // Inst flags that are events too: block ends, while there are other splits
    uint64_t turns = 0;              // of its splits
    uint32_t streak = 0;             // block ends that the running split had in a row while others could run
    uint32_t pinned = 0;             // block ends for which the running split goes on whatever its order
    bool spinning = false;           // it gave up its turn since it was last scheduled
    uint32_t polls = 0;              // failed polls since it last did something else: it spins
    Mask cluster_came = 0;           // lanes that arrived in the running phase of barrier.cluster
    Mask cluster_owes = 0;           // ... and those that have not waited since they arrived
    Region local;                    // of the whole warp: lane l's memory begins at l * local_lane
    uint64_t local_lane = 0;         // bytes of a lane

    // ---- operands -------------------------------------------------------------------------------------------------
    /// The 32 lanes of an operand. T has the operand's size.
    template <class T>
    const T* get(Slot s) const { return reinterpret_cast<const T*>(base[s >> 31] + (s & 0x7fffffffu)); }
    template <class T>
    T* out(Slot s) { return reinterpret_cast<T*>(base[0] + s); }
    /// Writes the lanes of `mask`.
    template <class T>
    void put(Slot s, const T* value, Mask mask) {
        T* to = out<T>(s);
        if (mask == kAll) {
            std::memcpy(to, value, kLanes * sizeof(T));
        } else {
            for (int l = 0; l < kLanes; ++l) to[l] = (mask >> l & 1) ? value[l] : to[l];
        }
    }
    Mask predicate(Slot s) const { Mask m; std::memcpy(&m, base[s >> 31] + (s & 0x7fffffffu), 4); return m; }
    void put_predicate(Slot s, Mask value, Mask mask) {
        Mask old = predicate(s);
        old = (old & ~mask) | (value & mask);
        std::memcpy(base[0] + s, &old, 4);
    }
    /// address(lane) = base + imm, of all 32 lanes.
    void addresses(const Inst& i, uint64_t* address) const {
        if (i.flags & Inst::address32) {
            const uint32_t* p = get<uint32_t>(i.a);
            // Sums of 32-bit addresses wrap there (a base below zero and an offset are one address of the window); the
            // upper half is a generic variable's window.
            const uint64_t window = i.imm < 0 ? 0 : static_cast<uint64_t>(i.imm) >> 32 << 32;
            const auto offset = static_cast<uint32_t>(i.imm);
            for (int l = 0; l < kLanes; ++l) address[l] = window | (p[l] + offset);
        } else {
            const uint64_t* p = get<uint64_t>(i.a);
            for (int l = 0; l < kLanes; ++l) address[l] = p[l] + static_cast<uint64_t>(i.imm);
        }
    }

    // ---- control --------------------------------------------------------------------------------------------------
    /// Lanes of `taken` go to `target`, the other active lanes on.
    void branch(Mask taken, uint32_t target);
    /// Lanes of `mask` are over.
    void exit(Mask mask);
    /// Lanes of `mask` call the function that starts at `target`; they return behind the running instruction.
    void call(Mask mask, uint32_t target);
    void ret(Mask mask);

    // ---- waiting --------------------------------------------------------------------------------------------------
    /// True if all of `members` that live are active now; else the running instruction waits for them and runs again
    /// (return at once). Where they cannot come it runs again with now.forced set, reports barrier_divergence when
    /// sanitizing, and gets true with the lanes that there are.
    bool converge(const Inst& inst, Mask members);
    /// The active lanes wait; with `again` the running instruction runs again when the wait is over (now.retried is set
    /// then, now.gave_up if patience ended), else they go on behind it.
    void park(const Wait& wait, bool again);
    /// The others of this warp and CTA get a turn first.
    void yield();
    /// A poll (volatile, relaxed or acquire load, atomic, failed test) that may be part of a spin: many of them give
    /// other CTAs a turn.
    void polled() { ++polls; if (polls >= 64) { polls = 0; yield(); } }

    // ---- reports --------------------------------------------------------------------------------------------------
    /// A finding; execution goes on. `lane` < 0: the warp's first active lane. Only call when sanitizing, or for kinds
    /// that are always reported. A finding of a kind at a pc is reported once for each launch (counted after that).
    void finding(Kind kind, const Inst& inst, int lane, uint64_t address, const std::string& message);
    /// A finding that the hardware would answer with an error: reported always; without the sanitizer it ends the
    /// launch, with it the lane's access is left out.
    void fault(Kind kind, const Inst& inst, int lane, uint64_t address, const std::string& message);

    // ---- scheduling -----------------------------------------------------------------------------------------------
    /// Runs at most about `limit` instructions. True if any ran.
    bool run(uint64_t limit);
    /// Every split waits at a `converge` that cannot come to be: the next run forces one. False if there is none.
    bool force();
    /// Polls lose patience by one idle round. True if any gave up.
    bool lose_patience();
    bool done() const { return live == 0; }

    uint32_t thread(int lane) const { return thread0 + static_cast<uint32_t>(lane); }

private:
    bool select();
    void merge();
    bool ready(Split& split);
    bool before(const Split& x, const Split& y) const;
    uint32_t order_at(uint32_t from, uint32_t to) const;
};

}  // namespace emu
