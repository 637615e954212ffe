// Bourdoncle's order of blocks: Tarjan's strongly connected components, nested, without recursion.
#include "decode/order.h"

#include <algorithm>

namespace emu {

namespace {

constexpr uint32_t kUnset = 0xffffffffu;
constexpr int kMaxNesting = 48;  // of loops; deeper ones are taken in the order of the search

/// Strongly connected components of the blocks in one region, in topological order. Iterative: programs may be long.
class Components {
public:
    Components(const std::vector<std::vector<uint32_t>>& successors, const std::vector<uint32_t>& region)
        : successors_(successors),
          region_(region),
          index_(successors.size(), kUnset),
          low_(successors.size()),
          on_(successors.size()) {}

    /// `region[b] == id` says that b belongs; `roots` are tried first. Edges to `head` are left out.
    std::vector<std::vector<uint32_t>> run(uint32_t id, uint32_t head, const std::vector<uint32_t>& blocks) {
        std::vector<std::vector<uint32_t>> result;
        uint32_t counter = 0;
        struct Frame { uint32_t block; size_t next; };
        std::vector<Frame> frames;
        std::vector<uint32_t> stack;
        for (uint32_t b : blocks) index_[b] = kUnset;
        for (uint32_t root : blocks) {
            if (root == head || index_[root] != kUnset) continue;
            frames.push_back({root, 0});
            while (!frames.empty()) {
                Frame& f = frames.back();
                const uint32_t b = f.block;
                if (f.next == 0) {
                    index_[b] = low_[b] = counter++;
                    stack.push_back(b);
                    on_[b] = true;
                }
                bool deeper = false;
                while (f.next < successors_[b].size()) {
                    const uint32_t s = successors_[b][f.next++];
                    if (region_[s] != id || s == head) continue;
                    if (index_[s] == kUnset) {
                        frames.push_back({s, 0});
                        deeper = true;
                        break;
                    }
                    if (on_[s]) low_[b] = std::min(low_[b], index_[s]);
                }
                if (deeper) continue;
                if (low_[b] == index_[b]) {
                    std::vector<uint32_t> component;
                    uint32_t member;
                    do {
                        member = stack.back();
                        stack.pop_back();
                        on_[member] = false;
                        component.push_back(member);
                    } while (member != b);
                    std::reverse(component.begin(), component.end());  // the first reached first
                    result.push_back(std::move(component));
                }
                frames.pop_back();
                if (!frames.empty()) low_[frames.back().block] = std::min(low_[frames.back().block], low_[b]);
            }
        }
        std::reverse(result.begin(), result.end());
        return result;
    }

private:
    const std::vector<std::vector<uint32_t>>& successors_;
    const std::vector<uint32_t>& region_;
    std::vector<uint32_t> index_, low_;
    std::vector<bool> on_;
};

}  // namespace

uint32_t order_blocks(const std::vector<std::vector<uint32_t>>& successors, uint32_t first,
                      std::vector<BlockOrder>& out) {
    const uint32_t count = static_cast<uint32_t>(successors.size());
    out.assign(count, {});
    std::vector<uint32_t> region(count, 0);
    Components components(successors, region);
    uint32_t next = first, next_region = 1;

    // A task is a component to be laid out, or the end of a loop to be numbered; the last one is done first.
    struct Task { std::vector<uint32_t> blocks; uint32_t head; int depth; bool loop_end; };
    std::vector<Task> tasks;
    std::vector<uint32_t> all(count);
    for (uint32_t b = 0; b < count; ++b) all[b] = b;
    auto push = [&](uint32_t id, uint32_t head, const std::vector<uint32_t>& blocks, int depth) {
        auto parts = components.run(id, head, blocks);
        for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
            tasks.push_back({std::move(*part), kUnset, depth, false});
        }
    };
    push(0, kUnset, all, 0);
    while (!tasks.empty()) {
        Task task = std::move(tasks.back());
        tasks.pop_back();
        if (task.loop_end) {
            out[task.head].loop_end = next++;
            continue;
        }
        const uint32_t head = task.blocks.front();
        out[head].order = out[head].loop_end = next++;
        const auto& after = successors[head];
        const bool loop = task.blocks.size() > 1 || std::find(after.begin(), after.end(), head) != after.end();
        if (!loop) continue;
        tasks.push_back({{}, head, task.depth, true});
        if (task.depth >= kMaxNesting) {
            for (size_t i = 1; i < task.blocks.size(); ++i) {
                out[task.blocks[i]].order = out[task.blocks[i]].loop_end = next++;
            }
            continue;
        }
        const uint32_t id = next_region++;
        for (uint32_t b : task.blocks) region[b] = id;
        push(id, head, task.blocks, task.depth + 1);
    }
    return next;
}

}  // namespace emu
