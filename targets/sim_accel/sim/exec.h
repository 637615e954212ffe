// The functional half: what instructions do to the scratchpad, DRAM and the matrix unit's weights.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels.h"
#include "op.h"

namespace sim {

class Executor {
public:
    Executor(const Config& config, const Kernels& kernels);

    /// Performs a checked instruction.
    void execute(const Op& op);

    /// One integer of the scratchpad, as sload reads it.
    int64_t load_integer(int64_t addr, int dtype) const;

private:
    void copy(const Op& op);
    void copy_row(uint8_t* dst, int dst_type, int64_t dst_step, const uint8_t* src, int src_type, int64_t src_step, int64_t n, bool sat);
    void load_weights(const Op& op);
    template <class T>
    void multiply(const Op& op, const std::vector<T>& weights);
    template <class T>
    void elementwise(const Op& op);
    template <class T>
    void reduce(const Op& op);
    template <class T>
    void arg(const Op& op);
    void iota(const Op& op);
    void gather(const Op& op);

    const Config& config_;
    const Kernels& k_;
    std::vector<uint8_t> sp_;
    int64_t weight_k_ = 0, weight_n_ = 0;
    std::vector<float> weights_f32_;
    std::vector<int32_t> weights_i32_;
    std::vector<float> scratch_f32_;
};

}  // namespace sim
