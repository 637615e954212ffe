// A launch: which clusters are resident, in what turns they run, and when they can no longer go on.
#include "machine/launch.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <thread>

#include "sanitizer/sanitizer.h"

namespace emu {

namespace {

constexpr uint64_t kTurn = 1u << 15;       // instructions of a warp, before the next warp
constexpr uint64_t kSlice = 1u << 21;      // of a cluster, before the next cluster
constexpr uint64_t kCountSteps = 1u << 12; // of a worker, before the others learn of them
constexpr uint64_t kPollSteps = 1u << 14;  // of a worker, before it asks whether the user wants to stop
constexpr uint32_t kPollSlices = 64;       // or so many slices, where all wait
constexpr uint32_t kIdleRounds = 64;       // rounds in which all waited and some gave up, with nothing else happening

// Limits of a multiprocessor of compute capability 9.0 (CUDA C++ Programming Guide, table of technical specifications).
constexpr uint32_t kThreadsPerMultiprocessor = 2048, kCtasPerMultiprocessor = 32;
constexpr uint64_t kSharedPerMultiprocessor = 228u << 10, kSharedPerCta = 227u << 10;

/// What the workers share: clusters not begun yet.
struct Supply {
    std::atomic<uint64_t> next{0};
    uint64_t count = 0;
};

struct Resident {
    std::unique_ptr<Cluster> cluster;
    uint64_t idle_steps = 0;   // the worker's steps at the last idle round
    uint32_t idle = 0;
};

enum class State { running, waiting, finished };

bool finished(const Cluster& cluster) {
    for (const auto& cta : cluster.ctas) if (cta->live_threads()) return false;
    return true;
}

std::string place(const Launch& launch, uint32_t pc) {
    const Origin& o = launch.program->origins[pc];
    return "line " + std::to_string(o.line) + " (" + launch.program->opcodes[o.opcode] + ")";
}

void report_deadlock(Launch& launch, Cluster& cluster) {
    Finding f;
    f.kind = Kind::deadlock;
    std::string text = "no thread can go on:";
    int shown = 0;
    bool first = true;
    for (const auto& cta : cluster.ctas) {
        for (const auto& warp : cta->warps) {
            auto tell = [&](const Split& s) {
                if (!s.mask) return;
                const uint32_t pc = s.wait.what == Wait::poll && !s.retried && s.pc ? s.pc - 1 : s.pc;
                if (first) {
                    first = false;
                    f.pc = pc;
                    std::copy_n(cta->id, 3, f.block);
                    Launch::unravel(warp->thread(__builtin_ctz(s.mask)), launch.options.block, f.thread);
                }
                if (++shown > 8) return;
                text += "\n  block (" + std::to_string(cta->id[0]) + ", " + std::to_string(cta->id[1]) + ", " + std::to_string(cta->id[2]) +
                        ") warp " + std::to_string(warp->index) + ", " + std::to_string(__builtin_popcount(s.mask)) + " lanes at " +
                        place(launch, pc) + ": ";
                text += s.wait.what == Wait::poll && s.wait.describe ? s.wait.describe(*warp, s.wait) : "waits";
            };
            tell(warp->now);
            for (const Split& s : warp->others) tell(s);
        }
    }
    if (shown > 8) text += "\n  and " + std::to_string(shown - 8) + " more";
    f.message = text;
    launch.report(std::move(f));
}

class Runner {
public:
    Runner(Launch& launch, Supply& supply, Worker& worker, uint64_t limit, const uint8_t* constants)
        : launch_(launch), supply_(supply), worker_(worker), limit_(limit), constants_(constants) {}

    void work(bool (*poll)(void*), void* context) {
        while (!launch_.stop.load(std::memory_order_relaxed)) {
            if (resident_.empty() && !admit()) break;
            const State state = slice(resident_.front());
            if (poll && time_to_poll() && poll(context)) {
                launch_.stop.store(true);
                throw std::runtime_error("interrupted");
            }
            if (state == State::finished) {
                spare_.push_back(std::move(resident_.front().cluster));
                resident_.pop_front();
                continue;
            }
            resident_.push_back(std::move(resident_.front()));
            resident_.pop_front();
            // Those who wait for others may wait for one that has not begun.
            if (state == State::waiting && resident_.size() < limit_) admit();
        }
    }

private:
    bool admit() {
        const uint64_t index = supply_.next.fetch_add(1);
        if (index >= supply_.count) return false;
        Resident r;
        if (spare_.empty()) {
            r.cluster = std::make_unique<Cluster>();
        } else {
            r.cluster = std::move(spare_.back());
            spare_.pop_back();
        }
        start_cluster(*r.cluster, launch_, worker_, constants_, index);
        resident_.push_front(std::move(r));
        return true;
    }

    /// Short blocks are over before anybody could have wanted to interrupt them.
    bool time_to_poll() {
        if (worker_.steps - polled_ < kPollSteps && ++unpolled_ < kPollSlices) return false;
        polled_ = worker_.steps;
        unpolled_ = 0;
        return true;
    }

    /// Steps that are left, as far as this worker knows.
    uint64_t steps_left() const {
        const uint64_t taken = total_ + (worker_.steps - counted_);
        return launch_.options.max_steps - std::min(launch_.options.max_steps, taken);
    }

    bool over_limit() {
        // The workers' sum is in a cache line that all of them read: it is written now and then only.
        const uint64_t fresh = worker_.steps - counted_;
        if (fresh < kCountSteps && steps_left()) return false;
        counted_ = worker_.steps;
        total_ = launch_.steps.fetch_add(fresh) + fresh;
        if (total_ < launch_.options.max_steps) return false;
        Finding f;
        f.kind = Kind::step_limit;
        f.message = "the launch executed max_steps = " + std::to_string(launch_.options.max_steps) + " warp instructions without an end";
        Cluster& c = *resident_.front().cluster;
        for (const auto& cta : c.ctas) {
            for (const auto& warp : cta->warps) {
                const Split* s = warp->now.mask ? &warp->now : warp->others.empty() ? nullptr : &warp->others.front();
                if (!s) continue;
                f.pc = s->pc;
                std::copy_n(cta->id, 3, f.block);
                Launch::unravel(warp->thread(__builtin_ctz(s->mask)), launch_.options.block, f.thread);
            }
        }
        if (!launch_.stop.exchange(true)) launch_.report(std::move(f));
        return true;
    }

    State slice(Resident& r) {
        Cluster& cluster = *r.cluster;
        const uint64_t begin = worker_.steps;
        int spinning_rounds = 0;
        while (worker_.steps - begin < kSlice) {
            bool ran = false, spinning = true;
            for (const auto& cta : cluster.ctas) {
                for (const auto& warp : cta->warps) {
                    if (warp->done()) continue;
                    if (warp->run(std::min(kTurn, steps_left()))) {
                        ran = true;
                        spinning = spinning && warp->spinning;
                    }
                    if (launch_.stop.load(std::memory_order_relaxed)) return State::waiting;
                }
            }
            if (over_limit()) return State::waiting;
            if (finished(cluster)) {
                for (const auto& cta : cluster.ctas) if (launch_.sanitizer) launch_.sanitizer->end(*cta);
                return State::finished;
            }
            if (!ran) {
                if (!unstick(r)) return State::waiting;
            } else if (spinning && ++spinning_rounds >= 2) {
                return State::waiting;
            }
        }
        return State::running;
    }

    /// Nothing in the cluster runs, and nobody outside can change that: something gives, or it is a deadlock.
    bool unstick(Resident& r) {
        Cluster& cluster = *r.cluster;
        // A round in which all only took a rest is none.
        for (const auto& cta : cluster.ctas) {
            for (const auto& warp : cta->warps) {
                if (warp->spinning) return true;
                if (warp->now.mask && warp->now.wait.what == Wait::yield) return true;
                for (const Split& s : warp->others) if (s.wait.what == Wait::yield) return true;
            }
        }
        if (worker_.steps - r.idle_steps > 4096 * cluster.ctas.size() * cluster.ctas[0]->warps.size()) r.idle = 0;
        r.idle_steps = worker_.steps;
        for (const auto& cta : cluster.ctas) for (const auto& warp : cta->warps) if (warp->force()) return true;
        bool any = false;
        for (const auto& cta : cluster.ctas) for (const auto& warp : cta->warps) any = warp->lose_patience() || any;
        if (any && ++r.idle < kIdleRounds) return true;
        if (!any && has_patience(cluster) && ++r.idle < kIdleRounds * 64) return true;
        report_deadlock(launch_, cluster);
        launch_.stop.store(true);
        return false;
    }

    static bool has_patience(const Cluster& cluster) {
        for (const auto& cta : cluster.ctas) {
            for (const auto& warp : cta->warps) {
                if (warp->now.mask && warp->now.wait.patience) return true;
                for (const Split& s : warp->others) if (s.wait.patience) return true;
            }
        }
        return false;
    }

    Launch& launch_;
    Supply& supply_;
    Worker& worker_;
    uint64_t limit_;
    const uint8_t* constants_;
    uint64_t counted_ = 0;  // steps that are in the launch's sum
    uint64_t total_ = 0;    // that sum, when it was seen last
    uint64_t polled_ = 0;
    uint32_t unpolled_ = 0;
    std::deque<Resident> resident_;
    std::vector<std::unique_ptr<Cluster>> spare_;
};

/// CTAs that a GPU has resident at once.
uint64_t resident_ctas(const Launch& launch, uint64_t threads, uint64_t shared) {
    uint64_t each = std::min<uint64_t>(kCtasPerMultiprocessor, kThreadsPerMultiprocessor / std::max<uint64_t>(threads, 1));
    each = std::min(each, kSharedPerMultiprocessor / std::max<uint64_t>(shared + 1024, 1));
    return std::max<uint64_t>(each, 1) * launch.options.multiprocessors;
}

std::string triple(const uint32_t* v) { return "(" + std::to_string(v[0]) + ", " + std::to_string(v[1]) + ", " + std::to_string(v[2]) + ")"; }

void check(Launch& launch) {
    Options& o = launch.options;
    const Program& p = *launch.program;
    for (int k = 0; k < 3; ++k) {
        if (!o.grid[k] || !o.block[k] || !o.cluster[k]) throw LaunchError("a grid, block or cluster has an extent of 0");
    }
    const uint64_t threads = uint64_t{o.block[0]} * o.block[1] * o.block[2];
    if (threads > 1024 || o.block[0] > 1024 || o.block[1] > 1024 || o.block[2] > 64) {
        throw LaunchError("a block of " + triple(o.block) + " threads: at most 1024, of these 64 in z");
    }
    if (o.grid[0] > 0x7fffffffu || o.grid[1] > 65535 || o.grid[2] > 65535) {
        throw LaunchError("a grid of " + triple(o.grid) + " blocks: at most 2147483647, 65535, 65535");
    }
    if (p.reqntid[0]) {
        for (int k = 0; k < 3; ++k) {
            if (o.block[k] != std::max(p.reqntid[k], 1u)) throw LaunchError("the kernel wants blocks of " + triple(p.reqntid) + " threads (.reqntid), not " + triple(o.block));
        }
    }
    if (p.maxntid[0] && threads > uint64_t{std::max(p.maxntid[0], 1u)} * std::max(p.maxntid[1], 1u) * std::max(p.maxntid[2], 1u)) {
        throw LaunchError("the kernel takes blocks of at most " + triple(p.maxntid) + " threads (.maxntid), not " + triple(o.block));
    }
    uint64_t cluster = 1;
    for (int k = 0; k < 3; ++k) {
        cluster *= o.cluster[k];
        if (o.grid[k] % o.cluster[k]) throw LaunchError("a grid of " + triple(o.grid) + " blocks is no multiple of the cluster " + triple(o.cluster));
    }
    if (cluster > 16) throw LaunchError("a cluster of " + triple(o.cluster) + " blocks: at most 16");
    const uint64_t shared = p.shared_bytes + o.dynamic_shared;
    if (shared > kSharedPerCta) {
        throw LaunchError("the kernel needs " + std::to_string(shared) + " bytes of shared memory (" + std::to_string(p.shared_bytes) +
                          " static), and a block has at most " + std::to_string(kSharedPerCta));
    }
    const uint64_t ctas = uint64_t{o.grid[0]} * o.grid[1] * o.grid[2];
    if (o.cooperative && ctas > resident_ctas(launch, threads, shared)) {
        throw LaunchError("a cooperative grid of " + std::to_string(ctas) + " blocks does not fit: " + std::to_string(resident_ctas(launch, threads, shared)) +
                          " blocks of " + std::to_string(threads) + " threads are resident at once");
    }
    const uint64_t warps = (threads + kLanes - 1) / kLanes;
    const uint64_t local = (p.local_bytes + (p.recursive ? o.stack_bytes : 0)) * kLanes;
    if ((p.register_bytes + local) * warps * cluster > (uint64_t{8} << 30)) throw LaunchError("a cluster of this kernel takes more than 8 GiB of registers and local memory");
    if (launch.parameters.size() != p.parameter_bytes) throw LaunchError("the kernel takes " + std::to_string(p.parameter_bytes) + " bytes of parameters");
    if (o.threads == 0 || o.threads > 256) throw LaunchError("between 1 and 256 threads of the host");
}

}  // namespace

void Counters::add(const Counters& other) {
    for (size_t k = 0; k < executed.size(); ++k) {
        executed[k].warps += other.executed[k].warps;
        executed[k].lanes += other.executed[k].lanes;
        memory[k].requests += other.memory[k].requests;
        memory[k].bytes += other.memory[k].bytes;
        memory[k].sectors += other.memory[k].sectors;
        memory[k].wavefronts += other.memory[k].wavefronts;
        memory[k].ideal += other.memory[k].ideal;
        flops[k] += other.flops[k];
    }
    barriers += other.barriers;
}

Launch::Launch() = default;
Launch::~Launch() = default;

void Launch::report(Finding finding) {
    const std::lock_guard lock(mutex);
    for (Finding& f : findings) {
        if (f.kind == finding.kind && f.pc == finding.pc) {
            ++f.count;
            return;
        }
    }
    if (findings.size() < options.max_findings) findings.push_back(std::move(finding));
}

void Launch::unravel(uint64_t i, const uint32_t* extent, uint32_t* out) {
    out[0] = static_cast<uint32_t>(i % extent[0]);
    out[1] = static_cast<uint32_t>(i / extent[0] % extent[1]);
    out[2] = static_cast<uint32_t>(i / extent[0] / extent[1]);
}

Counters run(Launch& launch, bool (*poll)(void*), void* context) {
    check(launch);
    const Options& o = launch.options;
    const Program& p = *launch.program;
    launch.parameter_region.space = Space::param;
    launch.parameter_region.bytes = launch.parameters.size();
    launch.parameter_region.host = launch.parameters.data();
    launch.parameter_region.writable = false;
    launch.parameter_region.name = "kernel parameters";
    if (o.sanitize) launch.sanitizer = make_sanitizer(launch);

    std::vector<uint8_t> constants(p.constants.size() + 64);
    uint8_t* aligned = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(constants.data()) + 63) / 64 * 64);
    if (!p.constants.empty()) std::memcpy(aligned, p.constants.data(), p.constants.size());

    const uint64_t cluster = uint64_t{o.cluster[0]} * o.cluster[1] * o.cluster[2];
    Supply supply;
    supply.count = uint64_t{o.grid[0]} * o.grid[1] * o.grid[2] / cluster;
    // The sanitizer learns of an access before it is performed: another thread of the host must not come between.
    const uint32_t count = static_cast<uint32_t>(std::min<uint64_t>(o.sanitize ? 1 : o.threads, supply.count));
    const uint64_t threads = uint64_t{o.block[0]} * o.block[1] * o.block[2];
    const uint64_t limit = std::max<uint64_t>(1, resident_ctas(launch, threads, p.shared_bytes + o.dynamic_shared) / cluster / count);

    std::vector<Worker> workers(count);
    for (Worker& w : workers) {
        w.counters.executed.resize(p.code.size());
        w.counters.memory.resize(p.code.size());
        w.counters.flops.resize(p.code.size());
    }
    std::vector<std::exception_ptr> failures(count);
    auto body = [&](uint32_t k) {
        try {
            Runner(launch, supply, workers[k], limit, aligned).work(k == 0 ? poll : nullptr, context);
        } catch (...) {
            failures[k] = std::current_exception();
            launch.stop.store(true);
        }
    };
    std::vector<std::thread> hosts;
    for (uint32_t k = 1; k < count; ++k) hosts.emplace_back(body, k);
    body(0);
    for (auto& h : hosts) h.join();
    for (const auto& failure : failures) if (failure) std::rethrow_exception(failure);
    for (uint32_t k = 1; k < count; ++k) workers[0].counters.add(workers[k].counters);
    // With several threads of the host the order of findings is not theirs; by place it is always the same.
    std::stable_sort(launch.findings.begin(), launch.findings.end(), [](const Finding& x, const Finding& y) { return x.pc < y.pc; });
    return std::move(workers[0].counters);
}

}  // namespace emu
