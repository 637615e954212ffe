#include "program.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace accelc::host {

namespace {

constexpr std::uint32_t kWorkspace = UINT32_MAX;
// About 20 microseconds of spinning: longer than the skew between threads in a step, shorter than a time slice.
constexpr int kSpins = 1000;

// Bits of the lower half of Program::claims_.
constexpr int kMostPieces = 32;

using Clock = std::chrono::steady_clock;

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <typename Done>
void spin_then_yield(Done done) {
  for (int i = 0; !done(); ++i) {
    if (i < kSpins)
      relax();
    else
      std::this_thread::yield();
  }
}

}  // namespace

Program::Program(int threads, std::size_t buffers)
    : threads_(threads),
      pieces_(std::min(threads, kMostPieces)),
      buffers_(buffers, nullptr),
      workspaces_(threads, nullptr),
      args_(threads) {
  for (int t = 1; t < threads_; ++t) pool_.emplace_back([this, t] { work(t); });
}

Program::~Program() {
  {
    std::lock_guard lock(mutex_);
    stop_.store(true);
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  for (auto& thread : pool_) thread.join();
}

void Program::add_step(Kernel kernel, std::int64_t tiles, const std::vector<std::uint32_t>& buffers) {
  steps_.push_back({kernel, tiles, arg_buffers_.size(), buffers.size() + 1});
  arg_buffers_.insert(arg_buffers_.end(), buffers.begin(), buffers.end());
  arg_buffers_.push_back(kWorkspace);
  stale_ = true;
}

void Program::bind(std::size_t buffer, void* address) {
  stale_ |= buffers_.at(buffer) != address;
  buffers_[buffer] = address;
}

void Program::bind_workspace(int thread, void* address) {
  workspaces_.at(thread) = address;
  stale_ = true;
}

void Program::link() {
  for (int t = 0; t < threads_; ++t) {
    auto& args = args_[t];
    args.resize(arg_buffers_.size());
    for (std::size_t i = 0; i < args.size(); ++i)
      args[i] = arg_buffers_[i] == kWorkspace ? workspaces_[t] : buffers_[arg_buffers_[i]];
  }
  stale_ = false;
}

void Program::run_piece(const Step& step, int thread, int piece, int pieces) {
  const std::int64_t begin = step.tiles * piece / pieces;
  const std::int64_t end = step.tiles * (piece + 1) / pieces;
  if (begin < end) step.kernel(args_[thread].data() + step.first_arg, begin, end);
}

void Program::run_alone(double* seconds) {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const auto start = seconds ? Clock::now() : Clock::time_point();
    run_piece(steps_[i], 0, 0, 1);
    if (seconds) seconds[i] = std::chrono::duration<double>(Clock::now() - start).count();
  }
}

void Program::run_shared(int thread) {
  const int own = thread % pieces_;
  const auto all = static_cast<std::uint32_t>((std::uint64_t{1} << pieces_) - 1);
  for (;;) {
    std::uint64_t claims = claims_.load(std::memory_order_acquire);
    const std::size_t index = claims >> 32;
    if (index >= steps_.size()) return;
    const std::uint32_t left = ~static_cast<std::uint32_t>(claims) & all;
    if (left == 0) {
      spin_then_yield([&] { return claims_.load(std::memory_order_acquire) >> 32 != index; });
      continue;
    }
    // Its own piece or the next after it, so that a thread finds what it wrote a step ago in its cache.
    const std::uint32_t after = left & (~std::uint32_t{0} << own);
    const int piece = std::countr_zero(after ? after : left);
    if (!claims_.compare_exchange_weak(claims, claims | std::uint64_t{1} << piece, std::memory_order_acq_rel)) continue;
    run_piece(steps_[index], thread, piece, pieces_);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish_step(index);
  }
}

void Program::finish_step(std::size_t index) {
  if (seconds_) {
    const auto now = Clock::now();
    seconds_[index] = std::chrono::duration<double>(now - step_start_).count();
    step_start_ = now;
  }
  unfinished_.store(pieces_, std::memory_order_relaxed);
  claims_.store(std::uint64_t{index + 1} << 32, std::memory_order_release);
}

void Program::run(double* seconds) {
  if (stale_) link();
  if (threads_ == 1) return run_alone(seconds);
  seconds_ = seconds;
  step_start_ = Clock::now();
  unfinished_.store(pieces_, std::memory_order_relaxed);
  claims_.store(0, std::memory_order_release);
  {
    std::lock_guard lock(mutex_);
    generation_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  run_shared(0);
  // Past the last step, every piece of every step is finished; a thread that wakes up now finds nothing to do.
}

void Program::work(int thread) {
  std::uint64_t seen = 0;
  for (;;) {
    // Spin for the next run, since runs often follow each other; then sleep, since often they do not.
    for (int i = 0; i < kSpins && generation_.load(std::memory_order_acquire) == seen; ++i) relax();
    if (generation_.load(std::memory_order_acquire) == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
    }
    if (stop_.load()) return;
    seen = generation_.load(std::memory_order_acquire);
    run_shared(thread);
  }
}

void copy_bytes(void** args, std::int64_t begin, std::int64_t end) {
  if (begin < end) std::memcpy(args[1], args[0], reinterpret_cast<std::uintptr_t>(args[2]));
}

}  // namespace accelc::host
