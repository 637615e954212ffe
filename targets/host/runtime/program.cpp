#include "program.h"

#include <chrono>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace accelc::host {

namespace {

constexpr std::uint32_t kWorkspace = UINT32_MAX;
// About 20 microseconds of spinning: longer than the skew between threads in a step, shorter than a time slice.
constexpr int kSpins = 1000;

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

void Barrier::wait() {
  const std::uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    return;
  }
  spin_then_yield([&] { return phase_.load(std::memory_order_acquire) != phase; });
}

Program::Program(int threads, std::size_t buffers)
    : threads_(threads), buffers_(buffers, nullptr), workspaces_(threads, nullptr), args_(threads), barrier_(threads) {
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

void Program::run_thread(int thread, double* seconds) {
  using Clock = std::chrono::steady_clock;
  void** args = args_[thread].data();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const std::int64_t begin = step.tiles * thread / threads_;
    const std::int64_t end = step.tiles * (thread + 1) / threads_;
    const auto start = seconds ? Clock::now() : Clock::time_point();
    if (begin < end) step.kernel(args + step.first_arg, begin, end);
    if (threads_ > 1) barrier_.wait();
    if (seconds) seconds[i] = std::chrono::duration<double>(Clock::now() - start).count();
  }
}

void Program::run(double* seconds) {
  if (stale_) link();
  if (threads_ > 1) {
    {
      std::lock_guard lock(mutex_);
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
  }
  run_thread(0, seconds);
  // The last step's barrier means that every thread is done with the table.
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
    ++seen;
    run_thread(thread, nullptr);
  }
}

void copy_bytes(void** args, std::int64_t begin, std::int64_t end) {
  if (begin < end) std::memcpy(args[1], args[0], reinterpret_cast<std::uintptr_t>(args[2]));
}

}  // namespace accelc::host
