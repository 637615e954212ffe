// malloc and free on the device: every block is a region of its own, so that its bounds are checked like an argument's.
//
// Blocks that were freed are given out again to requests of their size class; until then they have no bytes, and who
// still uses them is out of bounds.
#include <map>

#include "machine/cta.h"
#include "machine/launch.h"
#include "ops/system.h"

namespace emu {

namespace {

constexpr uint64_t kHeapBase = kGlobalBase + (uint64_t{1} << 44);
constexpr uint64_t kHeapBytes = uint64_t{8} << 20;  // as cudaLimitMallocHeapSize is unless somebody changes it
constexpr uint64_t kApart = 4096;                   // addresses between blocks that nobody owns

struct Heap {
    uint64_t next = kHeapBase;
    uint64_t used = 0;                               // bytes of live blocks, and of their size classes
    std::map<uint64_t, std::pair<Region*, uint64_t>> live;  // by address: region, class
    std::multimap<uint64_t, Region*> freed;          // by class
};

Heap& heap_of(Launch& launch) {
    if (!launch.heap) launch.heap = std::make_shared<Heap>();
    return *static_cast<Heap*>(launch.heap.get());
}

uint64_t allocate(Launch& launch, uint64_t bytes) {
    const std::scoped_lock lock(launch.mutex);
    Heap& heap = heap_of(launch);
    if (bytes == 0 || bytes > kHeapBytes) return 0;
    uint64_t room = 16;
    while (room < bytes) room *= 2;
    if (heap.used + room > kHeapBytes) return 0;
    heap.used += room;
    Region* region = nullptr;
    if (const auto it = heap.freed.find(room); it != heap.freed.end()) {
        region = it->second;
        heap.freed.erase(it);
    } else {
        launch.own_memory.push_back(std::make_unique<uint8_t[]>(room + 64));
        launch.own_regions.push_back(std::make_unique<Region>());
        region = launch.own_regions.back().get();
        uint8_t* host = launch.own_memory.back().get();
        region->host = host + (64 - reinterpret_cast<uintptr_t>(host) % 64) % 64;
        region->begin = heap.next;
        region->name = "a block of the device's heap";
        region->initialized = false;
        region->written = std::make_shared<std::vector<uint8_t>>((room + 7) / 8);
        heap.next += (room + kApart + 255) / 256 * 256;
        region->bytes = bytes;
        launch.memory->add(region);
    }
    region->shadow.reset();  // its past is another block's
    std::memset(region->host, 0, room);
    std::fill(region->written->begin(), region->written->end(), 0);
    region->bytes = bytes;
    heap.live[region->begin] = {region, room};
    return region->begin;
}

bool release(Launch& launch, uint64_t address) {
    const std::scoped_lock lock(launch.mutex);
    Heap& heap = heap_of(launch);
    const auto it = heap.live.find(address);
    if (it == heap.live.end()) return false;
    const auto [region, room] = it->second;
    region->bytes = 0;
    heap.used -= room;
    heap.freed.emplace(room, region);
    heap.live.erase(it);
    return true;
}

}  // namespace

void system_malloc(Warp& w, const Inst& i, Mask mask) {
    if (!call_fits(w, i, {8}, 8)) return;
    for (Mask m = mask; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        call_result(w, i, l, allocate(*w.launch, call_parameter(w, i, l, 0, 8)), 8);
    }
}

void system_free(Warp& w, const Inst& i, Mask mask) {
    if (!call_fits(w, i, {8}, 0)) return;
    for (Mask m = mask; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        const uint64_t address = call_parameter(w, i, l, 0, 8);
        if (address != 0 && !release(*w.launch, address)) {
            w.fault(Kind::out_of_bounds, i, l, address,
                    "free of an address that malloc did not return, or a second time");
        }
    }
}

}  // namespace emu
