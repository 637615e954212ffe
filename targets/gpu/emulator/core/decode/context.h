// What decoding a kernel keeps while it goes on: the program so far, and what names mean in the current function.
#pragma once
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "decode/decode.h"
#include "machine/image.h"

namespace emu {

struct Decode::Context {
    const ast::Module& module;
    const Image& image;
    Program& program;

    Context(const ast::Module& m, const Image& i, Program& p) : module(m), image(i), program(p) {}

    // Of the program.
    std::unordered_map<std::string, uint32_t> functions;          // name to index in program.functions
    std::unordered_map<std::string, Entity> shared;               // module-level .shared variables
    std::map<std::pair<uint64_t, uint32_t>, Slot> constants;      // (bits, bytes a lane)
    std::map<std::string, Slot> constant_lanes;
    std::unordered_map<std::string, uint32_t> opcodes;
    std::vector<Flow> flows;                                      // by pc

    // Of the function being decoded.
    const ast::Function* function = nullptr;
    uint32_t function_index = 0;
    std::vector<std::unordered_map<std::string, Entity>> scopes;  // by scope
    std::unordered_map<std::string, const ast::Prototype*> prototypes;
    uint32_t scope = 0;

    Slot take_register(uint32_t bytes_a_lane);                    // 0: a predicate
    /// Declares what the function's variables name; gives its frame and shared variables their places.
    void declare(const ast::Function& function);

};

/// Decodes a kernel with all that it can call. Throws PtxError.
std::unique_ptr<Program> decode(const ast::Module& module, const Image& image, const ast::Function& kernel);

}  // namespace emu
