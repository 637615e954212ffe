// The emulator's face to Python: modules, regions of memory, launches. Everything else is Python's.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <tuple>

#include "decode/decode.h"
#include "machine/launch.h"
#include "machine/module.h"
#include "sanitizer/sanitizer.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// Memory of Python's, behind a virtual address.
struct DeviceRegion {
    Bytes memory;
    emu::Region region;

    DeviceRegion(uint64_t address, Bytes bytes, const std::string& name, bool writable, bool initialized)
        : memory(std::move(bytes)) {
        region.begin = address;
        region.bytes = memory.size();
        region.host = const_cast<uint8_t*>(memory.data());  // read-only arrays are not `writable`
        region.writable = writable;
        region.initialized = initialized;
        region.name = name;
        if (!initialized) region.written = std::make_shared<std::vector<uint8_t>>((memory.size() + 7) / 8, 0);
    }
    void mark_written(uint64_t offset, uint64_t bytes) {
        if (!region.written || offset > region.bytes || bytes > region.bytes - offset) return;
        auto& bits = *region.written;
        uint64_t k = offset;
        const uint64_t end = offset + bytes;
        for (; k < end && k % 8; ++k) bits[k / 8] |= static_cast<uint8_t>(1u << (k % 8));
        if (k + 8 <= end) {
            std::memset(bits.data() + k / 8, 0xff, (end - k) / 8);
            k += (end - k) / 8 * 8;
        }
        for (; k < end; ++k) bits[k / 8] |= static_cast<uint8_t>(1u << (k % 8));
    }
    bool is_written(uint64_t at) const { return !region.written || ((*region.written)[at / 8] >> (at % 8) & 1); }
    /// Takes over what is known of the same bytes in another region.
    void inherit(const DeviceRegion& from) {
        if (!region.written) return;
        for (uint64_t k = 0; k < region.bytes; ++k) {
            const uint64_t at = region.begin + k - from.region.begin;
            if (at < from.region.bytes && from.is_written(at)) mark_written(k, 1);
        }
    }
};

const char* kind_name(emu::Kind kind) {
    static constexpr const char* names[] = {
        "race", "uninitialized", "out_of_bounds", "misaligned", "async_before_wait", "missing_proxy_fence",
        "mbarrier_misuse", "barrier_divergence", "deadlock", "trap", "step_limit",
    };
    return names[static_cast<size_t>(kind)];
}

nb::list parameters_of(const emu::Program& p) {
    nb::list result;
    for (const auto& q : p.parameters) {
        result.append(nb::make_tuple(q.name, emu::name_of(q.type), q.bytes, q.align, q.offset));
    }
    return result;
}

nb::list entries_of(const emu::Module& m) {
    nb::list names;
    for (const auto& f : m.syntax().functions) if (f.entry && f.defined) names.append(f.name);
    return names;
}

nb::list symbols_of(emu::Module& m) {
    nb::list names;
    for (const auto& r : m.image().regions()) names.append(r->name.substr(sizeof("variable ") - 1));
    return names;
}

nb::object symbol_of(emu::Module& m, const std::string& name) {
    const emu::Symbol* s = m.image().find(name);
    if (!s) return nb::none();
    auto view = nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>(s->region->host, {s->region->bytes}, nb::find(&m));
    return nb::make_tuple(s->address, nb::cast(view));
}

const emu::Program& program_of(const emu::Module& m, const std::string& entry) {
    const auto it = m.programs().find(entry);
    if (it == m.programs().end()) throw nb::key_error(entry.c_str());
    return *it->second;
}

nb::tuple cluster_of(const emu::Module& m, const std::string& entry) {
    const auto& c = program_of(m, entry).cluster;
    return nb::make_tuple(std::max(c[0], 1u), std::max(c[1], 1u), std::max(c[2], 1u));
}

struct PollState { bool interrupted = false; int skip = 0; };

bool poll_signals(void* context) {
    auto* state = static_cast<PollState*>(context);
    if (++state->skip & 15) return false;
    nb::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) {
        state->interrupted = true;
        return true;
    }
    return false;
}

using Extent = std::tuple<uint32_t, uint32_t, uint32_t>;

void set_extent(uint32_t* to, const Extent& from) { std::tie(to[0], to[1], to[2]) = from; }

/// What a cooperative launch's grid barrier counts in; %envreg1 and 2 hold its address.
class GridWorkspace {
public:
    GridWorkspace(emu::Module& module, const std::vector<DeviceRegion*>& regions) {
        const uint64_t mark = module.addresses().mark();
        region.begin = module.addresses().take(kBytes);
        module.addresses().rewind(mark);
        for (const DeviceRegion* r : regions) {
            region.begin = std::max(region.begin, (r->region.end() + kApart - 1) / kApart * kApart + kApart);
        }
        region.bytes = kBytes;
        region.host = reinterpret_cast<uint8_t*>(words_.data());
        region.name = "grid workspace";
    }
    emu::Region region;

private:
    static constexpr uint64_t kBytes = 1024, kApart = 4096;
    std::vector<uint64_t> words_ = std::vector<uint64_t>(kBytes / 8, 0);
};

/// (kind, message, line, file, line of the file, block, thread, address, count) of each.
nb::list findings_of(const emu::Launch& launch) {
    const emu::Program& program = *launch.program;
    nb::list result;
    for (const auto& f : launch.findings) {
        const emu::Origin& o = program.origins[f.pc];
        const std::string file = o.file < program.files.size() ? program.files[o.file] : "";
        result.append(nb::make_tuple(kind_name(f.kind), f.message, o.line, file, o.file_line,
                                     nb::make_tuple(f.block[0], f.block[1], f.block[2]),
                                     nb::make_tuple(f.thread[0], f.thread[1], f.thread[2]), f.address, f.count));
    }
    return result;
}

/// A row for each instruction; counters.py names the columns.
nb::ndarray<nb::numpy, uint64_t, nb::ndim<2>> rows_of(const emu::Program& program, const emu::Counters& counters) {
    constexpr size_t columns = 13;
    const size_t rows = program.code.size();
    auto data = std::make_unique<uint64_t[]>(rows * columns + 1);  // never of size 0
    for (size_t pc = 0; pc < rows; ++pc) {
        const auto& e = counters.executed[pc];
        const auto& m = counters.memory[pc];
        const auto& o = program.origins[pc];
        const uint64_t row[columns] = {o.line, o.file, o.file_line, o.opcode, e.warps, e.lanes,
                                       static_cast<uint64_t>(program.code[pc].space), m.requests, m.bytes, m.sectors,
                                       m.wavefronts, m.ideal, counters.flops[pc]};
        std::copy_n(row, columns, &data[pc * columns]);
    }
    nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<uint64_t*>(p); });
    return {data.release(), {rows, columns}, owner};
}

nb::dict launch(emu::Module& module, const std::string& entry, const Extent& grid, const Extent& block,
                const Extent& cluster, nb::bytes parameters, const std::vector<DeviceRegion*>& regions,
                uint64_t dynamic_shared, bool sanitize, bool cooperative, uint32_t threads, uint64_t max_steps,
                uint32_t max_findings, uint64_t stack_bytes) {
    emu::Launch launch;
    launch.program = &program_of(module, entry);
    set_extent(launch.options.grid, grid);
    set_extent(launch.options.block, block);
    set_extent(launch.options.cluster, cluster);
    launch.options.dynamic_shared = dynamic_shared;
    launch.options.sanitize = sanitize;
    launch.options.cooperative = cooperative;
    launch.options.threads = threads;
    launch.options.max_steps = max_steps;
    launch.options.max_findings = max_findings;
    launch.options.stack_bytes = stack_bytes;
    const auto* bytes = reinterpret_cast<const uint8_t*>(parameters.data());
    launch.parameters.assign(bytes, bytes + parameters.size());

    emu::AddressMap memory;
    for (const auto& r : module.image().regions()) memory.add(r.get());
    for (DeviceRegion* r : regions) memory.add(&r->region);
    launch.memory = &memory;
    GridWorkspace workspace(module, regions);
    if (cooperative) {
        memory.add(&workspace.region);
        launch.grid_workspace = workspace.region.begin;
    }

    PollState state;
    emu::Counters counters;
    {
        nb::gil_scoped_release release;
        try {
            counters = emu::run(launch, poll_signals, &state);
        } catch (const std::runtime_error&) {
            if (!state.interrupted) throw;
        }
    }
    if (state.interrupted) throw nb::python_error();

    nb::dict result;
    result["findings"] = findings_of(launch);
    result["counters"] = rows_of(*launch.program, counters);
    result["barriers"] = counters.barriers;
    // What a kernel prints need not be UTF-8.
    const auto size = static_cast<Py_ssize_t>(launch.output.size());
    result["output"] = nb::steal<nb::str>(PyUnicode_DecodeUTF8(launch.output.data(), size, "replace"));
    return result;
}

}  // namespace

NB_MODULE(EMULATOR_MODULE, m) {
    m.doc() = "The PTX emulator's core.";

    nb::exception<emu::LaunchError>(m, "LaunchError", PyExc_ValueError);
    nb::register_exception_translator([](const std::exception_ptr& p, void*) {
        try {
            std::rethrow_exception(p);
        } catch (const emu::PtxError& e) {
            PyErr_SetString(e.unsupported ? PyExc_NotImplementedError : PyExc_SyntaxError, e.what());
        }
    });

    using Module = emu::Module;
    nb::class_<DeviceRegion>(m, "Region", "Memory of Python's, behind a virtual address.")
        .def(nb::init<uint64_t, Bytes, const std::string&, bool, bool>(), "address"_a, "memory"_a, "name"_a,
             "writable"_a, "initialized"_a)
        .def_prop_ro("address", [](const DeviceRegion& r) { return r.region.begin; })
        .def_prop_ro("bytes", [](const DeviceRegion& r) { return r.region.bytes; })
        .def("mark_written", &DeviceRegion::mark_written, "offset"_a, "bytes"_a, "The host wrote these bytes.")
        .def("inherit", &DeviceRegion::inherit, "from_region"_a,
             "Takes over which bytes are written of another region.");

    nb::class_<Module>(m, "Module", "A PTX text, parsed and decoded.")
        .def(nb::init<const std::string&>(), "ptx"_a)
        .def("entries", &entries_of, "The kernels, in the order of the text.")
        .def("parameters", [](const Module& n, const std::string& e) { return parameters_of(program_of(n, e)); },
             "entry"_a, "(name, type, bytes, align, offset) of each parameter.")
        .def("parameter_bytes", [](const Module& n, const std::string& e) { return program_of(n, e).parameter_bytes; },
             "entry"_a)
        .def("cluster", &cluster_of, "entry"_a, "The cluster that the kernel wants; (1, 1, 1) if none.")
        .def("opcodes", [](const Module& n, const std::string& e) { return program_of(n, e).opcodes; }, "entry"_a,
             "Names that the counters' opcode column means.")
        .def("files", [](const Module& n, const std::string& e) { return program_of(n, e).files; }, "entry"_a,
             "Names that the counters' file column means.")
        .def("take_address", [](Module& n, uint64_t bytes) { return n.addresses().take(bytes); }, "bytes"_a)
        .def("mark_addresses", [](Module& n) { return n.addresses().mark(); })
        .def("rewind_addresses", [](Module& n, uint64_t mark) { n.addresses().rewind(mark); }, "mark"_a)
        .def("symbols", &symbols_of, "The names of the variables.")
        .def("symbol", &symbol_of, "name"_a, "(address, its bytes) of a variable; None if there is none.")
        .def("launch", &launch, "entry"_a, "grid"_a, "block"_a, "cluster"_a, "parameters"_a, "regions"_a,
             "dynamic_shared"_a, "sanitize"_a, "cooperative"_a, "threads"_a, "max_steps"_a, "max_findings"_a,
             "stack_bytes"_a);

    m.def("forms", [] {
        nb::list rows;
        for (const auto& forms : emu::all_forms()) {
            for (const auto& f : forms) rows.append(nb::make_tuple(f.opcode, f.modifiers, f.operands));
        }
        return rows;
    }, "Every supported form: (opcode, modifiers, operands).");
    m.def("refused", [] {
        nb::list rows;
        for (const auto& r : emu::refused_opcodes()) rows.append(nb::make_tuple(r.opcode, r.reason));
        return rows;
    }, "What is known and not supported: (opcode, reason).");
    m.def("dump", [](const std::string& ptx) { return emu::dump(*emu::parse(ptx)); }, "ptx"_a,
          "The module as the parser understood it, as PTX again; names are not resolved.");
}
