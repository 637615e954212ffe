// A loaded module: its variables at their addresses, which live as long as the emulator, and its functions' names.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "machine/memory.h"
#include "ptx/ast.h"

namespace emu {

constexpr uint64_t kFunctionBase = 0x0000'0500'0000'0000ull;  // + 16 * index in the module's functions
constexpr uint64_t kMaxBytes = uint64_t{1} << 36;             // of all module variables together

/// Addresses that nobody has had yet.
class Addresses {
public:
    /// 256-byte aligned (or more), with a gap before the next.
    uint64_t take(uint64_t bytes, uint64_t align = 256);
    uint64_t mark() const { return next_; }
    void rewind(uint64_t mark) { next_ = mark; }

private:
    uint64_t next_ = kGlobalBase;
};

struct Symbol {
    Space space = Space::global;
    uint64_t address = 0;
    Region* region = nullptr;
    const ast::Variable* declared = nullptr;
};

class Image {
public:
    /// Allocates and initialises .global and .const variables. Throws PtxError.
    Image(const ast::Module& module, Addresses& addresses);

    const Symbol* find(const std::string& name) const;
    const std::vector<std::unique_ptr<Region>>& regions() const { return regions_; }
    /// Index of a function in the module; -1 if there is none.
    int64_t function(const std::string& name) const;
    bool address_taken(uint32_t function) const { return taken_.count(function) != 0; }

private:
    void initialize(const ast::Module& module, const ast::Variable& variable, Region& region);
    std::vector<std::unique_ptr<Region>> regions_;
    std::vector<std::unique_ptr<uint8_t, void (*)(void*)>> memory_;
    std::map<std::string, Symbol> symbols_;
    std::map<std::string, uint32_t> functions_;
    std::map<uint32_t, bool> taken_;
};

}  // namespace emu
