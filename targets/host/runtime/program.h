// A program: a table of steps, each a kernel call split into tiles, run by a pool of threads.
//
// A step's tiles are divided into as many pieces as there are threads. A thread takes the piece that is its own, and then
// any that nobody has begun: on a busy machine no step waits for a thread that has no core. One thread runs the table
// with no synchronization at all. Nothing here knows of Python or MLIR.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace accelc::host {

// A compiled kernel: computes the tiles [begin, end) from the buffers that `args` points to.
using Kernel = void (*)(void** args, std::int64_t begin, std::int64_t end);

// The table of steps. `args` are indices into the table of buffers, so that rebinding a buffer (an input, say)
// is one store; the last argument of a kernel is its thread's own workspace.
class Program {
 public:
  explicit Program(int threads, std::size_t buffers);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Adds a step; `workspace` is per thread: `workspaces[t]` for thread t.
  void add_step(Kernel kernel, std::int64_t tiles, const std::vector<std::uint32_t>& buffers);
  void bind(std::size_t buffer, void* address);
  void bind_workspace(int thread, void* address);

  // Runs all steps. With `seconds` not null, it receives the time of each step (measured on the calling thread).
  void run(double* seconds = nullptr);

  std::size_t steps() const { return steps_.size(); }
  std::size_t buffers() const { return buffers_.size(); }
  int threads() const { return threads_; }

 private:
  struct Step {
    Kernel kernel;
    std::int64_t tiles;
    std::size_t first_arg;
    std::size_t num_args;
  };
  void link();
  void run_alone(double* seconds);
  void run_shared(int thread);
  void finish_step(std::size_t index);
  void run_piece(const Step& step, int thread, int piece, int pieces);
  void work(int thread);

  const int threads_;
  const int pieces_;
  std::vector<Step> steps_;
  std::vector<std::uint32_t> arg_buffers_;  // per argument, its buffer, or kWorkspace
  std::vector<void*> buffers_;
  std::vector<void*> workspaces_;
  std::vector<std::vector<void*>> args_;  // per thread, the argument pointers of all steps
  bool stale_ = true;

  // The step that is being run in the upper half, and in the lower half a bit for each of its pieces that was taken.
  // Steps and arguments change only while the step is past the last.
  alignas(64) std::atomic<std::uint64_t> claims_{~std::uint64_t{0}};
  alignas(64) std::atomic<int> unfinished_{0};
  double* seconds_ = nullptr;
  std::chrono::steady_clock::time_point step_start_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> pool_;
};

// Steps that are no compiled kernels: args are source, destination and (as a pointer) the number of bytes.
void copy_bytes(void** args, std::int64_t begin, std::int64_t end);

}  // namespace accelc::host
