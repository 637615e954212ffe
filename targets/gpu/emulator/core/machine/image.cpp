// Variables get addresses and memory, and what their initializers say.
#include "machine/image.h"

#include <cstdlib>
#include <cstring>

namespace emu {

uint64_t Addresses::take(uint64_t bytes, uint64_t align) {
    if (align < 256) align = 256;
    const uint64_t at = (next_ + align - 1) / align * align;
    next_ = at + bytes + 4096;
    return at;
}

Image::Image(const ast::Module& module, Addresses& addresses) {
    for (uint32_t i = 0; i < module.functions.size(); ++i) functions_.emplace(module.functions[i].name, i);
    for (const auto& [alias, target] : module.aliases) {
        const auto found = functions_.find(target);
        if (found != functions_.end()) functions_[alias] = found->second;
    }
    uint64_t total = 0;
    for (const auto& v : module.variables) {
        if (v.space != Space::global && v.space != Space::constant) continue;
        if (v.bytes > kMaxBytes || (total += v.bytes) > kMaxBytes) {
            throw PtxError(v.line, "variable " + v.name + ": the module's variables take more than 64 GiB");
        }
        auto region = std::make_unique<Region>();
        region->space = v.space;
        region->begin = addresses.take(v.bytes, v.align);
        region->bytes = v.bytes;
        region->writable = v.space == Space::global;
        region->name = "variable " + v.name;
        // Fresh pages of the system's are zero and cost nothing until they are touched.
        auto* memory = static_cast<uint8_t*>(std::calloc(v.bytes ? v.bytes : 1, 1));
        if (!memory) {
            throw PtxError(v.line, "variable " + v.name + ": no memory for " + std::to_string(v.bytes) + " bytes");
        }
        memory_.emplace_back(memory, &std::free);
        region->host = memory;
        symbols_[v.name] = {v.space, region->begin, region.get(), &v};
        regions_.push_back(std::move(region));
    }
    for (const auto& v : module.variables) {
        if (v.initializer && (v.space == Space::global || v.space == Space::constant)) {
            initialize(module, v, *symbols_[v.name].region);
        }
    }
}

void Image::initialize(const ast::Module&, const ast::Variable& v, Region& region) {
    const auto& init = *v.initializer;
    if (init.bytes.size() > region.bytes) {
        throw PtxError(v.line, "variable " + v.name + ": more initial values than elements");
    }
    if (!init.bytes.empty()) std::memcpy(region.host, init.bytes.data(), init.bytes.size());
    for (const auto& r : init.relocations) {
        uint64_t value = 0;
        if (const auto it = symbols_.find(r.symbol); it != symbols_.end()) {
            value = it->second.address;
        } else if (const auto f = functions_.find(r.symbol); f != functions_.end()) {
            value = kFunctionBase + 16ull * f->second;
            taken_[f->second] = true;
        } else {
            throw PtxError(v.line, "variable " + v.name + ": its initial value names " + r.symbol +
                                       ", which is no variable or function");
        }
        value += static_cast<uint64_t>(r.addend);
        // mask(0xff00)(symbol): that byte of the address
        for (uint64_t mask = r.mask; mask && (mask & 0xff) == 0; mask >>= 8) value >>= 8;
        if (r.size == 0 || r.size > 8 || r.at > region.bytes || r.size > region.bytes - r.at) {
            throw PtxError(v.line, "variable " + v.name + ": an address does not fit in its elements");
        }
        std::memcpy(region.host + r.at, &value, r.size);
    }
}

const Symbol* Image::find(const std::string& name) const {
    const auto it = symbols_.find(name);
    return it == symbols_.end() ? nullptr : &it->second;
}

int64_t Image::function(const std::string& name) const {
    const auto it = functions_.find(name);
    return it == functions_.end() ? -1 : static_cast<int64_t>(it->second);
}

}  // namespace emu
