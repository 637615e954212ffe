// Vector clocks: who knows of whose actions. Actors are threads, and the asynchronous agents that work for them.
//
// Threads of a CTA learn most things together, at barriers; so what they know is shared and immutable, and each thread
// keeps only its own clocks beside it. (Clocks of races: L. Lamport, 1978; epochs of last accesses: C. Flanagan and
// S. Freund, FastTrack, PLDI 2009.)
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "machine/access.h"
#include "machine/memory.h"

namespace emu {

/// A value with the number of its owners in it, which is not atomic: the sanitizer is never in two threads of the host
/// at once (Checker::lock).
template <class T>
class Ref {
public:
    Ref() = default;
    Ref(const Ref& other) : value_(other.value_) { if (value_) ++value_->owners; }
    Ref(Ref&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
    ~Ref() { if (value_ && --value_->owners == 0) delete value_; }
    Ref& operator=(Ref other) noexcept { std::swap(value_, other.value_); return *this; }
    template <class... Args>
    static Ref make(Args&&... args) {
        Ref r;
        r.value_ = new Counted(std::forward<Args>(args)...);
        return r;
    }
    explicit operator bool() const { return value_ != nullptr; }
    const T& operator*() const { return value_->value; }
    const T* operator->() const { return &value_->value; }
    bool operator==(const Ref& other) const { return value_ == other.value_; }

private:
    struct Counted {
        template <class... Args>
        explicit Counted(Args&&... args) : value(std::forward<Args>(args)...) {}
        T value;
        uint32_t owners = 1;
    };
    Counted* value_ = nullptr;
};

using Clocks = std::vector<uint32_t>;               // by slot of a CTA; what is missing is 0
using Known = Ref<Clocks>;                          // null: nothing

inline uint32_t clock_at(const Known& known, uint32_t slot) { return known && slot < known->size() ? (*known)[slot] : 0; }

/// An actor: its CTA and its slot there. Slots below the CTA's threads are threads, the others agents.
constexpr uint32_t kSlotBits = 13;
constexpr uint32_t kMaxSlots = 1u << kSlotBits;
struct Actor {
    uint64_t cta = 0;
    uint32_t slot = 0;
    bool operator==(const Actor&) const = default;
};

/// What is known of one CTA: all actions (seen), and those whose writes are visible to the asynchronous proxy (fenced).
struct Part {
    uint64_t cta = 0;
    Known seen, fenced;
};
using Foreign = Ref<std::vector<Part>>;  // of other CTAs, sorted; null: nothing

Known join(const Known& a, const Known& b);
Foreign join(const Foreign& a, const Foreign& b);

/// What a release hands over: parts of all CTAs concerned.
using Released = std::vector<Part>;  // sorted by cta
void join_into(Released& to, const Released& from);

/// What threads synchronise through: the phase that gathers, and the last complete one.
struct Sync {
    struct Gather {
        uint64_t cta = 0;
        Clocks seen, fenced;
        Known last_seen, last_fenced;  // joined already
    };
    std::vector<Gather> gather;
    Released done;
    // What fences .sc of those who came had released: it goes on with the relaxed writes of all who leave.
    std::vector<Gather> fences;
    std::shared_ptr<const Released> fences_done, last_brought;
    uint64_t phase = 0;
    Gather& of(uint64_t cta);
    Gather& fence_of(uint64_t cta);
    void complete();
};

/// The agents' kinds; each thread or warp has its own, made when first used.
enum class Agent : uint8_t { cp_async, bulk_read, bulk_write, wgmma, mbarrier, store };

struct ThreadClock {
    Known seen, fenced;      // of the own CTA, without the thread's own clocks
    Foreign foreign;
    uint32_t clock = 1, fenced_clock = 0;
    // Groups of its queues: committed, and complete as it knows; fenced: known to the asynchronous proxy.
    struct Groups { uint32_t slot = 0, committed = 0, done = 0, fenced = 0; bool open = false; };
    Groups cp_async, bulk_read, bulk_write;
    // A fence's release, for relaxed writes behind it; and what relaxed reads brought, for fences behind them.
    struct Snapshot {
        bool valid = false;
        Known seen, fenced;
        Foreign foreign;
        uint32_t clock = 0, fenced_clock = 0, cp = 0, read = 0, write = 0;
        Scope scope = Scope::cta;
    };
    struct Relaxed {
        Snapshot fence;
        bool all_order = false;                    // it was a fence .sc, and no barrier has passed it on yet
        std::shared_ptr<const Released> brought;  // what barriers brought of others' fences .sc
        Released pending, pending_cluster, pending_far;  // from the own CTA (and barriers); the cluster; others
    };
    std::unique_ptr<Relaxed> relaxed;  // of the few threads that fence or read strongly
    Relaxed& fences() {
        if (!relaxed) relaxed = std::make_unique<Relaxed>();
        return *relaxed;
    }
};

/// Lanes of a warp that know the same at the same clock: sanitizer/quick.cpp takes them together.
struct LaneClass {
    Mask mask = 0;
    uint32_t clock = 0;
    Known seen;
    bool foreign = false;         // some know of other CTAs
    bool fences = false;          // some have fenced, or read strongly
    std::vector<uint32_t> least;  // by warp of the CTA: the least that is known of its lanes; kUnasked: not yet asked
    static constexpr uint32_t kUnasked = ~0u;
};

struct WarpClock {
    static constexpr uint32_t kClasses = 4;
    LaneClass classes[kClasses];
    uint32_t class_count = 0;     // more than kClasses: too many
    bool stale = true;            // some lane's clocks changed since the classes were made
    ThreadClock::Groups wgmma;
    struct InFlight { Slot slot; uint32_t group; bool write; };
    std::vector<InFlight> registers;
    std::vector<uint8_t> marks;  // by slot / 64: 1 written, 2 read by a wgmma in flight
};

struct CtaClock {
    uint64_t cta = 0, cluster = 0;
    uint32_t threads = 0;
    uint32_t next_slot = 0;                       // agents follow the threads
    std::vector<ThreadClock> thread;
    std::vector<WarpClock> warp;
    std::vector<std::pair<Agent, uint32_t>> agents;  // of slots from `threads` on: kind, thread or warp or mbarrier's address
    std::map<std::pair<const void*, uint64_t>, uint32_t> mbarrier_slots, store_slots;  // by the parts of its SyncKey
    // The last join, since warps come with the same halves one after the other.
    Known join_a, join_b, join_result;

    uint32_t add_agent(Agent kind, uint32_t whose);
    Known joined(const Known& a, const Known& b);
};

}  // namespace emu
