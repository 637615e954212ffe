// A PTX text, loaded: its kernels decoded, its variables in memory.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "machine/image.h"
#include "machine/program.h"

namespace emu {

class Module {
public:
    /// Parses, allocates and decodes everything. Throws PtxError.
    explicit Module(const std::string& text);

    const ast::Module& syntax() const { return *syntax_; }
    const std::map<std::string, std::unique_ptr<Program>>& programs() const { return programs_; }
    Image& image() { return *image_; }
    Addresses& addresses() { return addresses_; }

private:
    std::unique_ptr<ast::Module> syntax_;
    Addresses addresses_;
    std::unique_ptr<Image> image_;
    std::map<std::string, std::unique_ptr<Program>> programs_;
};

}  // namespace emu
