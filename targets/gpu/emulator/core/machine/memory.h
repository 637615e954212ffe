// The memory that a launch sees: regions of host memory behind virtual addresses, and the way from one to the other.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "machine/access.h"
#include "machine/inst.h"

namespace emu {

struct Cta;

// Generic addresses. Global memory takes what is left: allocations start at kGlobalBase, each 256-byte aligned, apart by
// at least 4 KiB of addresses that nothing owns. Low 32 bits of a window address are the address within its space.
constexpr uint64_t kGlobalBase = 0x0000'7000'0000'0000ull;
constexpr uint64_t kSharedWindow = 0x0000'0100'0000'0000ull;  // + (rank of the CTA in its cluster << 24) + offset
constexpr uint64_t kLocalWindow = 0x0000'0200'0000'0000ull;
constexpr uint64_t kParamWindow = 0x0000'0300'0000'0000ull;   // a kernel's parameters
// As on Hopper: the first KiB of shared memory is the system's, and bits 24 and up name the CTA of the cluster.
constexpr uint32_t kSharedStart = 0x400;
constexpr uint32_t kRankShift = 24;

/// What the sanitizer knows about a region's bytes; its own.
struct Shadow {
    virtual ~Shadow() = default;
};

/// A contiguous piece of memory with one owner.
struct Region {
    Space space = Space::global;
    uint64_t begin = 0;      // global: virtual address; shared: kSharedStart; local: 0; param: 0
    uint64_t bytes = 0;
    uint8_t* host = nullptr;
    bool writable = true;
    bool initialized = true; // every byte was written before the launch; otherwise `written` says, if there is one
    std::string name;        // what a finding calls it: "argument 2", "variable table", "shared memory"
    Cta* cta = nullptr;      // shared: whose
    // Global memory whose bytes are written by ones: a bit a byte, kept between launches; empty where initialized.
    std::shared_ptr<std::vector<uint8_t>> written;
    std::shared_ptr<Shadow> shadow;
    uint64_t end() const { return begin + bytes; }
};

/// Where the lanes' accesses landed. `ok` are the lanes that may go on; others' pointers are null.
struct Resolved {
    Mask ok = 0;
    Region* uniform = nullptr;  // the region of all lanes in `ok`, if it is one
    uint8_t* host[kLanes];
    Region* region[kLanes];     // valid for the lanes in `ok` (filled also when uniform)
    uint64_t address[kLanes];   // as the instruction gave it (generic addresses stay generic)
    uint64_t offset(int lane) const { return static_cast<uint64_t>(host[lane] - region[lane]->host); }
};

/// Global regions by address, and module variables; one for each launch (a view on the emulator's).
class AddressMap {
public:
    /// Adds a region; they must not overlap. `region` outlives the map.
    void add(Region* region);
    /// The region that owns [address, address + bytes), or null.
    Region* find(uint64_t address, uint64_t bytes) const;
    /// The region nearest to the address, for messages; null if there is none.
    Region* nearest(uint64_t address) const;

private:
    std::vector<Region*> regions_;  // by begin
};

/// Turns the lanes' addresses, in `space` (global, shared, local, param, constant or generic), into host memory: bounds
/// (always) and alignment to `align` (a power of two, always) are checked; a lane that fails is reported as a fault of
/// the warp (out_of_bounds, misaligned) and left out of `ok`. Shared addresses name the CTA by their rank bits: without
/// `cluster` (.shared, .shared::cta) another CTA's is out of bounds.
/// Does not tell the sanitizer; callers do, by Warp::sanitizer, for what they access.
void resolve(Warp& warp, const Inst& inst, Mask mask, Space space, const uint64_t* address, uint32_t bytes,
             uint32_t align, bool write, Resolved& out, bool cluster = false);

/// The same for one address on behalf of `lane`: bulk copies, mbarriers, matrix descriptors. Null after a fault.
uint8_t* resolve_one(Warp& warp, const Inst& inst, int lane, Space space, uint64_t address, uint64_t bytes,
                     uint32_t align, bool write, Region** region, bool cluster = false);

/// The space that a generic address lies in, and its address within: shared, local, param or global.
Space space_of(uint64_t generic, uint64_t& within);

}  // namespace emu
