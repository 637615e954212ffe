// Random numbers that a case's number alone decides, so that any case can be made again.
#pragma once
#include <cstddef>
#include <cstdint>

namespace fuzz {

/// splitmix64: each call a new number, the same for the same seed everywhere.
class Random {
public:
    Random(uint64_t seed, uint64_t index) : state_(seed * 0x9E3779B97F4A7C15ull ^ (index + 1) * 0xD1342543DE82EF95ull) {}

    uint64_t next() {
        uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return z ^ (z >> 31);
    }
    /// In 0 .. n - 1; 0 for n = 0.
    size_t below(size_t n) { return n ? static_cast<size_t>(next() % n) : 0; }
    bool one_in(size_t n) { return below(n) == 0; }
    template <class T, size_t N>
    const T& pick(const T (&all)[N]) {
        return all[below(N)];
    }

private:
    uint64_t state_;
};

}  // namespace fuzz
