// One case: made-up arguments and a small grid for every kernel of a text.
#include "run_case.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "machine/launch.h"
#include "machine/module.h"
#include "machine/tensor_map.h"
#include "ptx/ast.h"
#include "sanitizer/sanitizer.h"

namespace fuzz {
namespace {

// What a launch may take of the host; texts that want more are legal, and of no use here.
constexpr uint64_t most_bytes = uint64_t{64} << 20;

/// Memory of exactly its size, so that a byte too far is seen.
struct Buffer {
    std::unique_ptr<uint8_t[]> bytes;
    emu::Region region;
};

class Case {
public:
    Case(emu::Module& module, Random& random, Tally& tally) : module_(module), random_(random), tally_(tally) {
        static constexpr uint64_t sizes[] = {1000, 16384, 32768, 65536};
        for (auto& buffer : buffers_) {
            uint64_t size = random_.pick(sizes);
            buffer.bytes = std::make_unique<uint8_t[]>(size);
            fill(buffer.bytes.get(), size);
            buffer.region.begin = module.addresses().take(size);
            buffer.region.bytes = size;
            buffer.region.host = buffer.bytes.get();
            buffer.region.name = "buffer";
            buffer.region.writable = !random_.one_in(10);
            buffer.region.initialized = !random_.one_in(3);
            if (!buffer.region.initialized) {
                buffer.region.written =
                    std::make_shared<std::vector<uint8_t>>((size + 7) / 8, random_.one_in(2) ? 0 : 0xAA);
            }
        }
    }

    void launch(const emu::Program& program) {
        emu::Launch launch;
        launch.program = &program;
        auto& o = launch.options;
        choose(program, o);
        uint64_t threads = uint64_t{o.block[0]} * o.block[1] * o.block[2];
        uint64_t warps = (threads + 31) / 32;
        uint64_t ctas = uint64_t{o.grid[0]} * o.grid[1] * o.grid[2];
        uint64_t warp = program.register_bytes + 32 * (uint64_t{program.local_bytes} + o.stack_bytes);
        if (threads > 2048 || ctas > 64 || warp * warps * ctas > most_bytes || program.shared_bytes > most_bytes ||
            program.parameter_bytes > most_bytes) {
            ++tally_.skipped;
            return;
        }
        launch.parameters.resize(program.parameter_bytes);
        for (auto& parameter : program.parameters) argument(parameter, launch.parameters);
        emu::AddressMap memory;
        for (auto& region : module_.image().regions()) memory.add(region.get());
        for (auto& buffer : buffers_) memory.add(&buffer.region);
        launch.memory = &memory;
        emu::Region workspace;
        std::vector<uint64_t> workspace_bytes(128, 0);
        if (o.cooperative) {
            workspace.begin = module_.addresses().take(1024);
            workspace.bytes = 1024;
            workspace.host = reinterpret_cast<uint8_t*>(workspace_bytes.data());
            workspace.name = "grid workspace";
            memory.add(&workspace);
            launch.grid_workspace = workspace.begin;
        }
        try {
            auto counters = emu::run(launch, [](void*) { return false; }, nullptr);
            if (counters.executed.size() != program.code.size()) {
                throw std::logic_error("counters without a row for each pc");
            }
        } catch (const emu::LaunchError&) {
            ++tally_.refused_launches;
            return;
        }
        ++tally_.launches;
        tally_.findings += launch.findings.size();
        tally_.clean += launch.findings.empty();
        uint32_t seen = 0;
        for (auto& finding : launch.findings) {
            if (finding.pc >= program.code.size()) throw std::logic_error("a finding outside of the program");
            seen |= 1u << (static_cast<uint32_t>(finding.kind) & 15);
        }
        for (int kind = 0; kind < 16; ++kind) tally_.kinds[kind] += seen >> kind & 1;
    }

private:
    /// Bytes as kernels like them.
    void fill(uint8_t* bytes, uint64_t size) {
        // Offsets that lie within a buffer, indices, floats near 1, or anything.
        size_t style = random_.below(6);
        uint64_t unit = uint64_t{1} << random_.below(7);
        for (uint64_t at = 0; at + 4 <= size; at += 4) {
            uint64_t random = random_.next();
            auto value = static_cast<uint32_t>(style < 2    ? random % (512 / unit) * unit
                                               : style == 2 ? random % 16
                                               : style == 3 ? 0
                                               : style == 4 ? 0x3F000000u + random % (1 << 24)
                                                            : random);
            std::memcpy(bytes + at, &value, 4);
        }
    }

    void choose(const emu::Program& program, emu::Options& o) {
        static constexpr uint32_t grids[] = {1, 1, 2, 3};
        static constexpr uint32_t blocks[] = {1, 31, 32, 33, 64, 96, 128, 256};
        static constexpr uint32_t shared[] = {0, 0, 256, 4096, 49152, 232448};
        static constexpr uint64_t steps[] = {200, 1000, 3000, 10000};
        static constexpr uint64_t stacks[] = {256, 1024, 4096};
        for (int k = 0; k < 3; ++k) {
            o.cluster[k] = std::max(program.cluster[k], 1u);
            o.grid[k] = o.cluster[k] * (k < 2 ? random_.pick(grids) : 1);
            uint32_t wanted = program.reqntid[k] ? program.reqntid[k] : program.maxntid[k];
            o.block[k] = wanted ? wanted : k == 0 ? random_.pick(blocks) : 1 + (random_.one_in(8) ? 1 : 0);
        }
        o.dynamic_shared = random_.pick(shared);
        o.sanitize = random_.one_in(2);
        o.cooperative = random_.one_in(6);
        o.threads = random_.one_in(6) ? 2 : 1;
        o.max_steps = random_.pick(steps);
        o.stack_bytes = random_.pick(stacks);
        o.max_findings = random_.one_in(4) ? 1 : 50;
    }

    uint64_t pointer() {
        auto& region = buffers_[random_.below(std::size(buffers_))].region;
        if (random_.one_in(40)) return region.begin + random_.below(region.bytes + 64);
        return random_.one_in(100) ? random_.next() : region.begin;
    }

    void argument(const emu::Parameter& parameter, std::vector<uint8_t>& bytes) {
        auto put = [&](uint64_t at, uint64_t value, uint64_t size) {
            if (at + size > bytes.size()) throw std::logic_error("a parameter outside of the parameters");
            std::memcpy(bytes.data() + at, &value, size);
        };
        auto word = [&]() -> uint64_t {
            switch (random_.below(8)) {
                case 0: return random_.next();
                case 1: return 0;
                case 2: return 256;
                default: return 1 + random_.below(32);
            }
        };
        uint64_t at = parameter.offset;
        bool small = parameter.type != emu::Type::b8 && parameter.bytes <= 8;
        if (small &&
            (parameter.pointer || (parameter.bytes == 8 && parameter.type != emu::Type::f64 && !random_.one_in(10)))) {
            put(at, pointer(), std::min(parameter.bytes, 8u));
        } else if (small && parameter.type == emu::Type::f32 && !random_.one_in(8)) {
            float value = static_cast<float>(random_.below(1000)) / 64 - 4;
            uint32_t bits = 0;
            std::memcpy(&bits, &value, 4);
            put(at, bits, parameter.bytes);
        } else if (small) {
            put(at, word(), parameter.bytes);
        } else if (parameter.bytes == emu::kTensorMapBytes && !random_.one_in(6)) {
            tensor_map(at, bytes);
        } else {
            for (uint64_t i = 0; i + 8 <= parameter.bytes; i += 8) {
                put(at + i, random_.one_in(2) ? pointer() : word(), 8);
            }
        }
    }

    void tensor_map(uint64_t at, std::vector<uint8_t>& bytes) {
        if (at + emu::kTensorMapBytes > bytes.size()) throw std::logic_error("a parameter outside of the parameters");
        uint8_t map[emu::kTensorMapBytes] = {};
        auto set = [&](emu::MapField field, uint32_t ordinal, uint64_t value) {
            emu::replace_field(map, field, ordinal, random_.one_in(100) ? random_.next() : value);
        };
        auto rank = static_cast<uint32_t>(1 + random_.below(5));
        auto type = static_cast<uint32_t>(random_.one_in(2) ? 6 : random_.below(emu::kElementTypes));
        uint64_t stride = 128;
        set(emu::MapField::global_address, 0, pointer() & ~uint64_t{15});
        set(emu::MapField::rank, 0, rank - 1);
        set(emu::MapField::elemtype, 0, type);
        set(emu::MapField::swizzle_mode, 0, random_.below(4));
        set(emu::MapField::fill_mode, 0, random_.below(2));
        for (uint32_t d = 0; d < rank; ++d) {
            set(emu::MapField::global_dim, d, 1 + random_.below(16));
            set(emu::MapField::box_dim, d, d == 0 ? 8 : 1 + random_.below(4));
            set(emu::MapField::element_stride, d, random_.one_in(4) ? 2 : 1);
            if (d + 1 < rank) set(emu::MapField::global_stride, d, stride);
            stride *= 1 + random_.below(3);
        }
        if (random_.one_in(20)) map[random_.below(sizeof map)] ^= static_cast<uint8_t>(random_.next());
        std::memcpy(bytes.data() + at, map, sizeof map);
    }

    emu::Module& module_;
    Random& random_;
    Tally& tally_;
    Buffer buffers_[3];
};

}  // namespace

void run_case(const std::string& text, Random& random, Tally& tally) {
    ++tally.cases;
    try {
        uint64_t bytes = 0;
        {
            auto syntax = emu::parse(text);
            if (random.one_in(8)) {
                auto printed = emu::dump(*syntax);
                // Debug labels and blocks without statements aside, the printed text is the same module.
                if (emu::dump(*emu::parse(printed)) != printed) {
                    throw std::logic_error("a printed module reads otherwise");
                }
            }
            for (auto& variable : syntax->variables) bytes += std::min(variable.bytes, most_bytes + 1);
        }
        ++tally.parsed;
        if (bytes > most_bytes) {
            ++tally.skipped;
            return;
        }
        emu::Module module(text);
        ++tally.decoded;
        Case one(module, random, tally);
        for (auto& [name, program] : module.programs()) {
            for (size_t times = 1 + random.below(2); times > 0; --times) one.launch(*program);
        }
    } catch (const emu::PtxError& error) {
        if (error.line == 0) throw std::logic_error(std::string("an error without a line: ") + error.what());
    }
}

}  // namespace fuzz
