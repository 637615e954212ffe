// What happens to mbarrier objects, and what is wrong with it.
#include "ops/mbarrier.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "machine/cta.h"
#include "machine/launch.h"
#include "ops/barrier.h"

namespace emu {

namespace {

constexpr uint64_t kField = kMbarrierMax;
constexpr uint64_t kTag = uint64_t{2} << 62;
constexpr uint64_t kPhases = (uint64_t{1} << 41) - 1;  // of a state's number of the phase

// As long as try_wait is willing to wait while nothing else goes on.
constexpr uint32_t kPatience = 2;

/// One mbarrier in use by a lane.
struct Object {
    Warp& w;
    const Inst& i;
    int lane;
    Region& region;
    uint64_t offset;
    Mbarrier now;

    SyncKey key() const { return mbarrier_key(region, offset); }
    uint64_t address() const { return region.begin + offset; }
    std::string text(const std::string& message) const {
        char name[48];
        std::snprintf(name, sizeof name, "mbarrier 0x%llx", static_cast<unsigned long long>(address()));
        const bool remote = region.cta && region.cta != w.cta;
        return name + (remote ? " of block " + block_name(*region.cta) : std::string()) + ": " + message;
    }
    bool fault(const std::string& message) const {
        w.fault(Kind::mbarrier_misuse, i, lane, address(), text(message));
        return false;
    }
    void finding(const std::string& message) const {
        if (w.sanitizer) w.finding(Kind::mbarrier_misuse, i, lane, address(), text(message));
    }
    /// The word can be one.
    bool placed() const {
        if (region.space != Space::shared || region.cta == nullptr) return fault("it must lie in shared memory");
        if (offset % 8 != 0) {
            w.fault(Kind::misaligned, i, lane, address(), text("it must be aligned to 8 bytes"));
            return false;
        }
        if (region.bytes < 8 || offset > region.bytes - 8) return fault("it is out of bounds");
        return true;
    }
    /// The sanitizer sees mbarrier.init as a plain write, and all else as strong accesses: these do not race with each
    /// other, and must be ordered behind the init. Half of the word is never written by them, so that each is checked.
    void tell_init() const {
        if (w.sanitizer) w.sanitizer->access_one(w, i, lane, region, offset, 8, Access::store());
    }
    void tell_use(bool write) const {
        if (!w.sanitizer) return;
        Access use{.read = true, .order = Order::relaxed, .scope = Scope::cluster};
        w.sanitizer->access_one(w, i, lane, region, offset, 4, use);
        if (!write) return;
        use.write = use.atomic = true;
        w.sanitizer->access_one(w, i, lane, region, offset + 4, 4, use);
    }
    void tell_inval() const {
        if (!w.sanitizer) return;
        const Access end{.write = true, .order = Order::relaxed, .scope = Scope::cluster};
        w.sanitizer->access_one(w, i, lane, region, offset, 8, end);
    }
    /// An mbarrier lives there: takes it into `now`.
    bool load(bool write) {
        if (!placed()) return false;
        now = Mbarrier::at(region.host + offset);
        if (!now.valid || (w.sanitizer && !region.cta->mbarriers.count(offset))) {
            return fault("used before mbarrier.init or after mbarrier.inval");
        }
        if (w.sanitizer && region.cta->live_threads() == 0 && region.cta != w.cta) {
            finding("its block has ended, and its shared memory with it");
        }
        tell_use(write);
        return true;
    }
    void store() const {
        const uint64_t word = now.pack();
        std::memcpy(region.host + offset, &word, 8);
    }
    /// f(warp, split) of those of the cluster that are parked here.
    template <class F>
    void each_waiting(F f) const;
    bool awaited() const {
        bool any = false;
        each_waiting([&](const Warp&, const Split&) { any = true; });
        return any;
    }
    /// Ends the phase if nothing is missing, and stores.
    void settle() {
        if (now.pending == 0 && now.tx == 0) {
            if (w.sanitizer) {
                // Who waits for the phase before this one cannot tell the next from it.
                each_waiting([&](const Warp& other, const Split& s) {
                    if ((s.wait.x & 1) != now.parity) {
                        finding("the phase of parity " + std::to_string(now.parity) + " is over before warp " +
                                std::to_string(other.index) + " of block " + block_name(*other.cta) +
                                " has seen the end of the one before");
                    }
                });
                ++region.cta->mbarriers[offset];
                w.sanitizer->complete(key());
            }
            now.parity ^= 1;
            now.pending = now.expected;
        }
        store();
    }
    bool add_tx(int64_t bytes) {
        const int64_t tx = now.tx + bytes;
        if (tx > static_cast<int64_t>(kMbarrierMax) || tx < -static_cast<int64_t>(kMbarrierMax)) {
            return fault("its tx-count of " + std::to_string(now.tx) + " leaves the range by " + std::to_string(bytes));
        }
        now.tx = static_cast<int32_t>(tx);
        return true;
    }
};

bool ready(const Warp&, const Wait& wait) {
    const Mbarrier m = Mbarrier::at(static_cast<const uint8_t*>(wait.object));
    return m.valid && m.parity != (wait.x & 1);
}

std::string describe(const Warp& w, const Wait& wait) {
    const Mbarrier m = Mbarrier::at(static_cast<const uint8_t*>(wait.object));
    char text[200];
    if (!m.valid) {
        std::snprintf(text, sizeof text, "mbarrier 0x%llx of block ", static_cast<unsigned long long>(wait.y));
        return text + block_name(*w.cta) + ": it was invalidated";
    }
    std::snprintf(text, sizeof text, "mbarrier 0x%llx of block ", static_cast<unsigned long long>(wait.y));
    std::string message = text + block_name(*w.cta);
    std::snprintf(text, sizeof text, ", the phase of parity %u: %u of %u arrivals are missing, tx-count %d",
                  static_cast<unsigned>(wait.x & 1), m.pending, m.expected, m.tx);
    return message + text;
}

template <class F>
void Object::each_waiting(F f) const {
    if (!region.cta || !region.cta->cluster) return;
    for (const auto& cta : region.cta->cluster->ctas) {
        for (const auto& other : cta->warps) {
            const auto see = [&](const Split& s) {
                const Wait& wait = s.wait;
                if (wait.what == Wait::poll && wait.ready == ready && wait.object == region.host + offset) f(*other, s);
            };
            see(other->now);
            for (const Split& s : other->others) see(s);
        }
    }
}

}  // namespace

Mbarrier Mbarrier::unpack(uint64_t word) {
    Mbarrier m;
    m.pending = static_cast<uint32_t>(word & kField);
    m.expected = static_cast<uint32_t>(word >> 20 & kField);
    const auto tx = static_cast<int32_t>(word >> 40 & 0x1fffff);
    m.tx = tx >= 0x100000 ? tx - 0x200000 : tx;
    m.parity = static_cast<uint32_t>(word >> 61 & 1);
    m.valid = (word >> 62) == 2;
    return m;
}

uint64_t Mbarrier::pack() const {
    return pending | static_cast<uint64_t>(expected) << 20 |
           static_cast<uint64_t>(static_cast<uint32_t>(tx) & 0x1fffff) << 40 | static_cast<uint64_t>(parity) << 61 |
           (valid ? kTag : 0);
}

Mbarrier Mbarrier::at(const uint8_t* host) {
    uint64_t word;
    std::memcpy(&word, host, 8);
    return unpack(word);
}

bool mbarrier_init(Warp& w, const Inst& i, int lane, Region& region, uint64_t offset, uint32_t count) {
    Object o{w, i, lane, region, offset, {}};
    if (!o.placed()) return false;
    if (region.cta != w.cta) return o.fault("mbarrier.init of another block's");
    if (count < 1 || count > kMbarrierMax) {
        return o.fault("a count of " + std::to_string(count) + " arrivals is not in 1 .. 1048575");
    }
    if (w.sanitizer) {
        if (region.cta->mbarriers.count(offset)) {
            const Mbarrier old = Mbarrier::at(region.host + offset);
            if (o.awaited()) o.finding("mbarrier.init while threads wait for it");
            else if (old.pending != old.expected || old.tx != 0) o.finding("mbarrier.init in the middle of a phase");
        }
        w.sanitizer->forget(o.key());
        region.cta->mbarriers[offset] = 0;
    }
    o.tell_init();
    o.now.pending = o.now.expected = count;
    o.now.valid = true;
    o.store();
    return true;
}

bool mbarrier_inval(Warp& w, const Inst& i, int lane, Region& region, uint64_t offset) {
    Object o{w, i, lane, region, offset, {}};
    if (!o.placed()) return false;
    if (region.cta != w.cta) return o.fault("mbarrier.inval of another block's");
    o.now = Mbarrier::at(region.host + offset);
    if (!o.now.valid || (w.sanitizer && !region.cta->mbarriers.count(offset))) {
        return o.fault("mbarrier.inval where there is none");
    }
    if (w.sanitizer) {
        if (o.awaited()) o.finding("mbarrier.inval while threads wait for it");
        w.sanitizer->forget(o.key());
        region.cta->mbarriers.erase(offset);
    }
    o.tell_inval();
    o.now = {};
    o.store();
    return true;
}

bool mbarrier_complete_tx(Warp& w, const Inst& i, int lane, Region& region, uint64_t offset, uint64_t bytes) {
    Object o{w, i, lane, region, offset, {}};
    if (!o.load(true)) return false;
    if (bytes > kMbarrierMax) return o.fault("a tx-count of " + std::to_string(bytes) + " is not in 0 .. 1048575");
    if (!o.add_tx(-static_cast<int64_t>(bytes))) return false;
    o.settle();
    return true;
}

bool mbarrier_expect_tx(Warp& w, const Inst& i, int lane, Region& region, uint64_t offset, uint64_t bytes) {
    Object o{w, i, lane, region, offset, {}};
    if (!o.load(true)) return false;
    if (bytes > kMbarrierMax) return o.fault("a tx-count of " + std::to_string(bytes) + " is not in 0 .. 1048575");
    if (!o.add_tx(static_cast<int64_t>(bytes))) return false;
    o.settle();
    return true;
}

bool mbarrier_arrive(Warp& w, const Inst& i, int lane, Region& region, uint64_t offset, uint32_t count, Arrive how,
                     uint64_t* state) {
    Object o{w, i, lane, region, offset, {}};
    if (!o.load(true)) return false;
    const Mask mask = Mask{1} << lane;
    if (how & Arrive::copies) {
        // Pending is raised by one, and lowered when the copies are done, which here is at once.
        if (o.now.pending == kMbarrierMax) {
            return o.fault("cp.async.mbarrier.arrive raises its pending arrivals beyond 1048575");
        }
        if (w.sanitizer) w.sanitizer->async_arrive(w, mask, o.key());
        return true;
    }
    if (count < 1 || count > kMbarrierMax) {
        return o.fault("a count of " + std::to_string(count) + " arrivals is not in 1 .. 1048575");
    }
    if (count > o.now.pending) {
        return o.fault("more arrivals than its phase expects (" + std::to_string(count) + " now, and " +
                       std::to_string(o.now.pending) + " of " + std::to_string(o.now.expected) + " are pending)");
    }
    if (state) {
        const uint64_t phase = w.sanitizer ? region.cta->mbarriers[offset] & kPhases : 0;
        *state = o.now.pending | phase << 20 | static_cast<uint64_t>(o.now.parity) << 61 | kTag;
    }
    o.now.pending -= count;
    if (how & Arrive::drop) o.now.expected -= std::min(count, o.now.expected);
    if (w.sanitizer) {
        if (how & Arrive::copies_noinc) w.sanitizer->async_arrive(w, mask, o.key());
        else w.sanitizer->arrive(w, mask, o.key(), (how & Arrive::relaxed) != 0);
        if ((how & Arrive::no_complete) && o.now.pending == 0 && o.now.tx == 0) {
            o.finding("an arrival with .noComplete ends the phase");
        }
    }
    o.settle();
    return true;
}

bool mbarrier_test(Warp& w, const Inst& i, int lane, Region& region, uint64_t offset, uint64_t wanted, bool is_parity) {
    Object o{w, i, lane, region, offset, {}};
    if (!o.load(false)) return false;
    if (region.cta != w.cta) return o.fault("a wait for another block's");
    if (is_parity) {
        if (wanted > 1) o.finding("a phase's parity is 0 or 1, not " + std::to_string(wanted));
        return o.now.parity != (wanted & 1);
    }
    if ((wanted >> 62) != 2) return o.fault("the value is no state that mbarrier.arrive returned");
    if (w.sanitizer) {
        const uint64_t phase = region.cta->mbarriers[offset] & kPhases, state = wanted >> 20 & kPhases;
        const uint64_t behind = (phase - state) & kPhases;
        if (behind > 1) {
            o.finding("the state is of phase " + std::to_string(state) + ", and phase " + std::to_string(phase) +
                      " is under way: it must be this one or the one before");
        }
    }
    return o.now.parity != (wanted >> 61 & 1);
}

Wait mbarrier_wait(const Region& region, uint64_t offset, uint32_t parity) {
    Wait wait;
    wait.what = Wait::poll;
    wait.ready = ready;
    wait.describe = describe;
    wait.x = parity;
    wait.y = region.begin + offset;
    wait.object = region.host + offset;
    wait.patience = kPatience;
    return wait;
}

}  // namespace emu
