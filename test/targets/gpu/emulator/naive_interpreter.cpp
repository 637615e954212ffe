// The peer of emulator_speed.py: how one would write an interpreter of GPU code first. A warp's instruction is fetched
// once, and each active lane goes through a switch on the opcode; registers are a thread's array. It runs the loop of the
// arithmetic kernel (64 f32 fma, an add, a compare, a branch) and counts what it executes, as the emulator does. Prints
// thread instructions a CPU second.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

namespace {

enum class Op : uint8_t { fma_f32, add_f32, add_u32, setp_lt_u32, mov_u32, cvt_f32_u32, bra_if, exit };

struct Instruction {
    Op op;
    uint16_t d, a, b, c;   // registers
    uint32_t target;
};

constexpr int kLanes = 32, kRegisters = 32;

struct Thread {
    uint32_t r[kRegisters];
    bool p;
};

float as_float(uint32_t bits) { float f; std::memcpy(&f, &bits, 4); return f; }
uint32_t as_bits(float f) { uint32_t bits; std::memcpy(&bits, &f, 4); return bits; }

struct Count { uint64_t warps = 0, lanes = 0; };

void run_warp(const std::vector<Instruction>& code, Thread* threads, std::vector<Count>& counts) {
    uint32_t pc = 0, mask = 0xffffffffu;
    while (mask) {
        const Instruction& i = code[pc];
        counts[pc].warps += 1;
        counts[pc].lanes += static_cast<uint64_t>(__builtin_popcount(mask));
        uint32_t taken = 0, ended = 0;
        for (int lane = 0; lane < kLanes; ++lane) {
            if (!(mask >> lane & 1)) continue;
            Thread& t = threads[lane];
            switch (i.op) {
                case Op::fma_f32: t.r[i.d] = as_bits(std::fma(as_float(t.r[i.a]), as_float(t.r[i.b]), as_float(t.r[i.c]))); break;
                case Op::add_f32: t.r[i.d] = as_bits(as_float(t.r[i.a]) + as_float(t.r[i.b])); break;
                case Op::add_u32: t.r[i.d] = t.r[i.a] + t.r[i.b]; break;
                case Op::setp_lt_u32: t.p = t.r[i.a] < t.r[i.b]; break;
                case Op::mov_u32: t.r[i.d] = t.r[i.a]; break;
                case Op::cvt_f32_u32: t.r[i.d] = as_bits(static_cast<float>(t.r[i.a])); break;
                case Op::bra_if: if (t.p) taken |= 1u << lane; break;
                case Op::exit: ended |= 1u << lane; break;
            }
        }
        mask &= ~ended;
        pc = taken ? i.target : pc + 1;  // this kernel's lanes stay together
    }
}

}  // namespace

int main() {
    // Registers: 0-7 chains, 8 the thread's number, 9 0.5f, 10 1.0f, 11 the turn, 12 one, 13 turns, 14 scratch.
    std::vector<Instruction> code;
    for (uint16_t k = 0; k < 8; ++k) code.push_back({Op::cvt_f32_u32, k, 8, 0, 0, 0});
    const auto loop = static_cast<uint32_t>(code.size());
    for (uint16_t k = 0; k < 64; ++k) code.push_back({Op::fma_f32, static_cast<uint16_t>(k % 8), static_cast<uint16_t>(k % 8), 9, 10, 0});
    code.push_back({Op::add_u32, 11, 11, 12, 0, 0});
    code.push_back({Op::setp_lt_u32, 0, 11, 13, 0, 0});
    code.push_back({Op::bra_if, 0, 0, 0, 0, loop});
    for (uint16_t k = 1; k < 8; ++k) code.push_back({Op::add_f32, 0, 0, k, 0, 0});
    code.push_back({Op::exit, 0, 0, 0, 0, 0});

    std::vector<Count> counts(code.size());
    std::vector<Thread> threads(kLanes);
    double sum = 0;
    const std::clock_t start = std::clock();
    for (uint32_t warp = 0; warp < 64; ++warp) {
        for (uint32_t lane = 0; lane < kLanes; ++lane) {
            Thread& t = threads[lane];
            t = {};
            t.r[8] = lane;
            t.r[9] = as_bits(0.5f);
            t.r[10] = as_bits(1.0f);
            t.r[12] = 1;
            t.r[13] = 400;
        }
        run_warp(code, threads.data(), counts);
        sum += static_cast<double>(as_float(threads[0].r[0]));
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    uint64_t lanes = 0;
    for (const Count& c : counts) lanes += c.lanes;
    if (std::fabs(sum - 64 * 16.0) > 1) return 1;
    std::printf("%.0f\n", static_cast<double>(lanes) / seconds);
    return 0;
}
