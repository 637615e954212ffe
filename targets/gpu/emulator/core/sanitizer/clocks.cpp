// What actors know of each other: how knowledge is joined, shared and compared.
#include "sanitizer/clocks.h"

#include <algorithm>

namespace emu {

namespace {

/// True if b adds nothing to a.
bool covers(const Clocks& a, const Clocks& b) {
    if (b.size() > a.size()) return false;
    uint32_t more = 0;
    for (size_t k = 0; k < b.size(); ++k) more |= b[k] > a[k];
    return !more;
}

void raise(Clocks& to, const Clocks& from) {
    if (to.size() < from.size()) to.resize(from.size(), 0);
    for (size_t k = 0; k < from.size(); ++k) to[k] = std::max(to[k], from[k]);
}

Part join(const Part& a, const Part& b) { return {a.cta, emu::join(a.seen, b.seen), emu::join(a.fenced, b.fenced)}; }

std::vector<Part> join_parts(const std::vector<Part>& a, const std::vector<Part>& b) {
    std::vector<Part> result;
    result.reserve(a.size() + b.size());
    size_t x = 0, y = 0;
    while (x < a.size() || y < b.size()) {
        if (y == b.size() || (x < a.size() && a[x].cta < b[y].cta)) result.push_back(a[x++]);
        else if (x == a.size() || b[y].cta < a[x].cta) result.push_back(b[y++]);
        else result.push_back(join(a[x++], b[y++]));
    }
    return result;
}

}  // namespace

Known join(const Known& a, const Known& b) {
    if (!b || a == b) return a;
    if (!a || covers(*b, *a)) return b;
    if (covers(*a, *b)) return a;
    Clocks result = *a;
    raise(result, *b);
    return Known::make(std::move(result));
}

Foreign join(const Foreign& a, const Foreign& b) {
    if (!b || a == b) return a;
    if (!a) return b;
    return Foreign::make(join_parts(*a, *b));
}

void join_into(Released& to, const Released& from) {
    if (from.empty()) return;
    if (to.empty()) to = from;
    else to = join_parts(to, from);
}

namespace {

Sync::Gather& find(std::vector<Sync::Gather>& all, uint64_t cta) {
    const auto at =
        std::lower_bound(all.begin(), all.end(), cta, [](const Sync::Gather& g, uint64_t c) { return g.cta < c; });
    if (at != all.end() && at->cta == cta) return *at;
    Sync::Gather fresh;
    fresh.cta = cta;
    return *all.insert(at, std::move(fresh));
}

Released known(std::vector<Sync::Gather>& all) {
    Released result;
    for (Sync::Gather& g : all) {
        result.push_back({g.cta, Known::make(std::move(g.seen)), Known::make(std::move(g.fenced))});
    }
    all.clear();
    return result;
}

}  // namespace

Sync::Gather& Sync::of(uint64_t cta) { return find(gather, cta); }
Sync::Gather& Sync::fence_of(uint64_t cta) { return find(fences, cta); }

void Sync::complete() {
    done = known(gather);
    fences_done = fences.empty() ? nullptr : std::make_shared<const Released>(known(fences));
    last_brought = nullptr;
    ++phase;
}

uint32_t CtaClock::add_agent(Agent kind, uint32_t whose) {
    if (next_slot >= kMaxSlots) return kMaxSlots - 1;  // the last ones share a slot
    agents.emplace_back(kind, whose);
    return next_slot++;
}

Known CtaClock::joined(const Known& a, const Known& b) {
    if (a == join_a && b == join_b && join_result) return join_result;
    join_a = a;
    join_b = b;
    join_result = join(a, b);
    return join_result;
}

}  // namespace emu
