// Loading: parse, give variables their places, decode every kernel.
#include "machine/module.h"

#include "decode/context.h"

namespace emu {

Module::Module(const std::string& text) : syntax_(parse(text)) {
    image_ = std::make_unique<Image>(*syntax_, addresses_);
    for (const auto& f : syntax_->functions) {
        if (f.entry && f.defined) programs_[f.name] = decode(*syntax_, *image_, f);
    }
    // A module of device functions only is checked as well.
    if (programs_.empty()) {
        for (const auto& f : syntax_->functions) if (f.defined) decode(*syntax_, *image_, f);
    }
}

}  // namespace emu
