#include "hazard.h"

namespace sim {

void AccessMap::add(int64_t low, int64_t high, bool written) {
    if (low >= high) return;
    Range& r = ranges_[low];
    r.high = high;
    r.writer = written ? -2 : -1;
}

/// The range that starts at `at`, after cutting the one that covers it.
AccessMap::Ranges::iterator AccessMap::split(int64_t at) {
    auto it = ranges_.lower_bound(at);
    if (it != ranges_.end() && it->first == at) return it;
    if (it == ranges_.begin()) return it;
    auto before = std::prev(it);
    if (before->second.high <= at) return it;
    Range tail = before->second;
    before->second.high = at;
    return ranges_.emplace_hint(it, at, tail);
}

void AccessMap::access(int64_t low, int64_t high, bool write, int queue, const Clock& clock, int32_t pc, const Conflict& report) {
    auto it = split(low);
    split(high);
    const Mark mine{clock.at[static_cast<size_t>(queue)], pc};
    auto ordered = [&](int other, const Mark& m) { return other == queue || m.epoch <= clock.at[static_cast<size_t>(other)]; };
    const auto first = it;
    for (; it != ranges_.end() && it->first < high; ++it) {
        Range& r = it->second;
        if (r.writer == -1 && !write) {
            report(Hazard::UNWRITTEN, it->first, r.high, -1, -1);
            r.writer = -2;  // once is enough
        }
        if (r.writer >= 0 && !ordered(r.writer, r.write)) report(write ? Hazard::WAW : Hazard::RAW, it->first, r.high, r.writer, r.write.pc);
        if (write) {
            for (int q = 0; r.readers >> q; ++q)
                if (r.readers >> q & 1 && !ordered(q, r.read[static_cast<size_t>(q)]))
                    report(Hazard::WAR, it->first, r.high, q, r.read[static_cast<size_t>(q)].pc);
        } else {
            r.readers |= 1u << queue;
            r.read[static_cast<size_t>(queue)] = mine;
        }
    }
    if (!write || first == ranges_.end() || first->first >= high) return;
    // A write leaves one range (per mapped piece): what was known of the bytes is superseded.
    for (auto r = first; r != ranges_.end() && r->first < high;) {
        r->second.writer = queue;
        r->second.write = mine;
        r->second.readers = 0;
        auto next = std::next(r);
        while (next != ranges_.end() && next->first < high && next->first == r->second.high) {
            r->second.high = next->second.high;
            next = ranges_.erase(next);
        }
        r = next;
    }
}

}  // namespace sim
