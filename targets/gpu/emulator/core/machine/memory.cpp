// From addresses to host memory: which region owns an address, what each lane may touch, and what is said if it may
// not.
#include "machine/memory.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <mutex>
#include <shared_mutex>

#include "machine/memory_paths.h"

namespace emu {
namespace {

// Device-side malloc adds regions while other threads of the host look some up. Lookups are rare (see Worker::recent),
// so one lock for all maps does.
std::shared_mutex map_lock;

std::string hex(uint64_t x) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(x));
    return text;
}

std::string byte_count(uint64_t n) { return std::to_string(n) + (n == 1 ? " byte" : " bytes"); }

/// "12 bytes past the end of argument 2 (4096 bytes)".
std::string distance(uint64_t address, uint64_t bytes, uint64_t begin, uint64_t extent, const std::string& name) {
    const std::string what = name + " (" + byte_count(extent) + ")", s = address + bytes == 1 ? "" : "s";
    if (address < begin) {
        const uint64_t before = begin - address;
        return (before < bytes ? byte_count(before) + " of them" : byte_count(before)) + " before the beginning of " +
               what;
    }
    const uint64_t offset = address - begin;
    if (offset >= extent) {
        return offset == extent ? "right behind the end of " + what
                                : byte_count(offset - extent) + " past the end of " + what;
    }
    return "the last " + byte_count(bytes - (extent - offset)) + " of them past the end of " + what;
}

const char* name_of_space(Space space) {
    switch (space) {
        case Space::shared: return "shared memory";
        case Space::local: return "local memory";
        case Space::param: return "the kernel's parameters";
        default: return "global memory";
    }
}

std::string access_text(bool write, uint64_t bytes, uint64_t address, Space named, Space space, uint64_t within) {
    std::string text = std::string(write ? "write" : "read") + " of " + byte_count(bytes) + " at ";
    if (named == Space::generic && space != Space::global) {
        text += hex(address) + " (" + name_of_space(space) + ", address " + hex(within) + ")";
    } else {
        text += (named == Space::global || named == Space::generic || named == Space::constant
                     ? "" : std::string(name_of_space(space)) + "'s address ") + hex(address);
    }
    return text;
}

/// The CTA whose shared memory an address (its rank bits) names, or null.
Cta* cta_at(const Warp& w, uint64_t within, bool cluster) {
    const uint64_t rank = within >> kRankShift;
    if (rank == w.cta->rank) return w.cta;
    if (!cluster || w.cta->cluster == nullptr || rank >= w.cta->cluster->ctas.size()) return nullptr;
    return w.cta->cluster->ctas[rank].get();
}

/// What stands between a lane and its bytes.
struct Checked {
    uint8_t* host = nullptr;
    Region* region = nullptr;
    Kind kind = Kind::out_of_bounds;
    std::string message;  // empty: it may
};

Checked check(Warp& w, const Inst& inst, int lane, Space named, uint64_t address, uint64_t bytes, uint32_t align,
              bool write, bool cluster) {
    Checked r;
    uint64_t within = address;
    Space space = named;
    if (named == Space::generic) {
        space = space_of(address, within);
        cluster = true;
    }
    auto text = [&] { return access_text(write, bytes, address, named, space, within); };
    auto misaligned = [&] {
        if ((address & (align - 1)) == 0) return false;
        r.kind = Kind::misaligned;
        r.message = text() + ", " + byte_count(address & (align - 1)) + " past a multiple of " + std::to_string(align);
        return true;
    };
    auto inside = [&](uint64_t begin, uint64_t extent) {
        return within >= begin && bytes <= extent && within - begin <= extent - bytes;
    };
    switch (space) {
        case Space::local:
            if (!inside(0, w.local_lane)) {
                r.message = text() + ", " + distance(within, bytes, 0, w.local_lane, "the thread's local memory");
                return r;
            }
            r.region = &w.local;
            r.host = w.local.host + static_cast<uint64_t>(lane) * w.local_lane + within;
            break;
        case Space::shared: {
            Cta* cta = cta_at(w, within, cluster);
            if (cta == nullptr) {
                r.message = text() + ", which belongs to rank " + std::to_string(within >> kRankShift) +
                            (cluster ? " of the cluster; there are " +
                                           std::to_string(w.cta->cluster ? w.cta->cluster->ctas.size() : 1)
                                     : " of the cluster, not to this block (rank " + std::to_string(w.cta->rank) + ")");
                return r;
            }
            const uint64_t begin = (static_cast<uint64_t>(cta->rank) << kRankShift) + kSharedStart;
            if (cta->reserved.bytes && inside(begin - kSharedStart, kSharedStart)) {
                r.region = &cta->reserved;
                r.host = cta->reserved.host + (within - (begin - kSharedStart));
                break;
            }
            if (!inside(begin, cta->shared.bytes)) {
                r.message =
                    text() + ", " + distance(within, bytes, begin, cta->shared.bytes, "the block's shared memory");
                return r;
            }
            r.region = &cta->shared;
            r.host = cta->shared.host + (within - begin);
            break;
        }
        case Space::param: {
            Region& region = w.launch->parameter_region;
            if (!inside(0, region.bytes)) {
                r.message = text() + ", " + distance(within, bytes, 0, region.bytes, "the kernel's parameters");
                return r;
            }
            r.region = &region;
            r.host = region.host + within;
            break;
        }
        default: {
            Region* region = w.launch->memory->find(address, bytes);
            if (region == nullptr) {
                const Region* near = w.launch->memory->nearest(address);
                r.message = text() + (address < 4096 ? ", a null pointer"
                                      : near == nullptr
                                          ? ", where there is no memory"
                                          : ", " + distance(address, bytes, near->begin, near->bytes, near->name));
                return r;
            }
            w.worker->recent[inst.pc & 63] = region;
            r.region = region;
            r.host = region->host + (address - region->begin);
        }
    }
    if (misaligned()) return r;
    if (write && !r.region->writable) {
        r.message = text() + ", in " + (r.region->name.empty() ? name_of_space(space) : r.region->name) +
                    ", which cannot be written";
    }
    return r;
}

}  // namespace

void AddressMap::add(Region* region) {
    std::unique_lock lock(map_lock);
    auto at = std::upper_bound(regions_.begin(), regions_.end(), region->begin,
                               [](uint64_t begin, const Region* r) { return begin < r->begin; });
    regions_.insert(at, region);
}

Region* AddressMap::find(uint64_t address, uint64_t bytes) const {
    std::shared_lock lock(map_lock);
    auto behind = std::upper_bound(regions_.begin(), regions_.end(), address,
                                   [](uint64_t a, const Region* r) { return a < r->begin; });
    if (behind == regions_.begin()) return nullptr;
    Region* r = *(behind - 1);
    return bytes <= r->bytes && address - r->begin <= r->bytes - bytes ? r : nullptr;
}

Region* AddressMap::nearest(uint64_t address) const {
    std::shared_lock lock(map_lock);
    auto behind = std::upper_bound(regions_.begin(), regions_.end(), address,
                                   [](uint64_t a, const Region* r) { return a < r->begin; });
    Region* after = behind == regions_.end() ? nullptr : *behind;
    Region* before = behind == regions_.begin() ? nullptr : *(behind - 1);
    if (before == nullptr) return after;
    if (after == nullptr || address < before->end()) return before;
    return address - before->end() < after->begin - address ? before : after;
}

Space space_of(uint64_t generic, uint64_t& within) {
    within = generic & 0xffffffffu;
    switch (generic >> 32) {
        case kSharedWindow >> 32: return Space::shared;
        case kLocalWindow >> 32: return Space::local;
        case kParamWindow >> 32: return Space::param;
        default: within = generic; return Space::global;
    }
}

bool place_of(Warp& w, const Inst& inst, Space space, uint64_t address, bool cluster, Place& place) {
    uint64_t window = 0, within = address;
    if (space == Space::generic) {
        space = space_of(address, within);
        window = address - within;
        cluster = true;
    }
    place.space = space;
    switch (space) {
        case Space::local: return false;
        case Space::shared: {
            Cta* cta = cta_at(w, within, cluster);
            if (cta == nullptr) return false;
            place.region = &cta->shared;
            place.begin = window + (static_cast<uint64_t>(cta->rank) << kRankShift) + kSharedStart;
            break;
        }
        case Space::param:
            place.region = &w.launch->parameter_region;
            place.begin = window;
            break;
        default: {
            Region*& recent = w.worker->recent[inst.pc & 63];
            if (recent == nullptr || address - recent->begin >= recent->bytes) {
                Region* found = w.launch->memory->find(address, 1);
                if (found == nullptr) return false;
                recent = found;
            }
            place.region = recent;
            place.begin = recent->begin;
        }
    }
    place.host = place.region->host;
    place.bytes = place.region->bytes;
    return true;
}

void resolve(Warp& w, const Inst& inst, Mask mask, Space space, const uint64_t* address, uint32_t bytes, uint32_t align,
             bool write, Resolved& out, bool cluster) {
    std::memcpy(out.address, address, sizeof out.address);
    out.ok = 0;
    out.uniform = nullptr;
    if (mask == 0) return;
    const int first = std::countr_zero(mask);
    Place place;
    if (space != Space::local && place_of(w, inst, space, address[first], cluster, place)) {
        if (bytes <= place.bytes && (!write || place.region->writable) &&
            all_inside(mask, address, place.begin, place.bytes - bytes, align)) {
            const auto origin = reinterpret_cast<uintptr_t>(place.host) - place.begin;
            for (int l = 0; l < kLanes; ++l) {
                out.host[l] = reinterpret_cast<uint8_t*>((origin + address[l]) & lane_ones(mask, l));
                out.region[l] = place.region;
            }
            out.ok = mask;
            out.uniform = place.region;
            return;
        }
    } else {
        const bool generic = space == Space::generic && address[first] >> 32 == kLocalWindow >> 32;
        const uint64_t begin = generic ? kLocalWindow : 0;
        if ((generic || space == Space::local) && bytes <= w.local_lane &&
            all_inside(mask, address, begin, w.local_lane - bytes, align)) {
            const auto origin = reinterpret_cast<uintptr_t>(w.local.host) - begin;
            for (int l = 0; l < kLanes; ++l) {
                const uint64_t at = origin + address[l] + static_cast<uint64_t>(l) * w.local_lane;
                out.host[l] = reinterpret_cast<uint8_t*>(at & lane_ones(mask, l));
                out.region[l] = &w.local;
            }
            out.ok = mask;
            out.uniform = &w.local;
            return;
        }
    }
    bool one = true;
    Region* common = nullptr;
    for (int l = 0; l < kLanes; ++l) {
        out.host[l] = nullptr;
        out.region[l] = nullptr;
        if ((mask >> l & 1) == 0) continue;
        Checked c = check(w, inst, l, space, address[l], bytes, align, write, cluster);
        if (!c.message.empty()) {
            w.fault(c.kind, inst, l, address[l], c.message);
            continue;
        }
        out.ok |= 1u << l;
        out.host[l] = c.host;
        out.region[l] = c.region;
        one &= common == nullptr || common == c.region;
        common = c.region;
    }
    out.uniform = one ? common : nullptr;
}

uint8_t* resolve_one(Warp& w, const Inst& inst, int lane, Space space, uint64_t address, uint64_t bytes, uint32_t align,
                     bool write, Region** region, bool cluster) {
    Checked c = check(w, inst, lane, space, address, bytes, align, write, cluster);
    if (!c.message.empty()) {
        w.fault(c.kind, inst, lane, address, c.message);
        return nullptr;
    }
    if (region != nullptr) *region = c.region;
    return c.host;
}

}  // namespace emu
