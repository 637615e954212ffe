// Which functions a kernel can call, by name or through pointers.
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "machine/image.h"
#include "ptx/ast.h"

namespace emu {

struct Reach {
    struct Item {
        const ast::Function* function;
        std::vector<uint32_t> calls;   // by name: indices into `functions`
        bool indirect = false;         // it calls through a pointer
        bool recursive = false;        // may be on the call stack twice
    };
    std::vector<Item> functions;       // [0] is the kernel; callees in the order they are met
    std::set<std::string> names;       // every name that stands as an operand
    bool recursive = false;            // some function is

    /// The largest sum of `bytes` along a chain of calls (a recursive function counts once).
    uint64_t deepest(const std::function<uint32_t(uint32_t)>& bytes) const;
};

/// Throws PtxError for a call of a function that is not defined and not one of the system's.
Reach find_reachable(const ast::Module& module, const Image& image, const ast::Function& kernel);

}  // namespace emu
