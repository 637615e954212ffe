// Python's door to the core. Everything of Python in the simulator is here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cfenv>
#include <limits>

#include "core.h"

namespace nb = nanobind;
using namespace sim;

namespace {

/// A buffer of Python's, held for the length of a run.
struct Buffer {
    Py_buffer view{};
    Buffer(nb::handle object, bool writable) {
        if (PyObject_GetBuffer(object.ptr(), &view, writable ? PyBUF_CONTIG : PyBUF_CONTIG_RO) != 0) throw nb::python_error();
    }
    Buffer(Buffer&& o) noexcept : view(o.view) { o.view.obj = nullptr; }
    Buffer(const Buffer&) = delete;
    ~Buffer() {
        if (view.obj) PyBuffer_Release(&view);
    }
};

template <class T>
T get(const nb::dict& d, const char* key) {
    return nb::cast<T>(d[key]);
}

Config config_of(const nb::dict& d) {
    Config c;
    c.array = get<int>(d, "array");
    c.sp_bytes = get<int64_t>(d, "sp_bytes");
    c.sp_bytes_per_cycle = get<double>(d, "sp_bytes_per_cycle");
    c.sp_word_bytes = get<int64_t>(d, "sp_word_bytes");
    c.dram_bytes_per_cycle = get<double>(d, "dram_bytes_per_cycle");
    c.dram_latency = get<int64_t>(d, "dram_latency");
    c.burst_bytes = get<int64_t>(d, "burst_bytes");
    c.dma_queues = get<int>(d, "dma_queues");
    c.dma_startup = get<int64_t>(d, "dma_startup");
    c.dma_bytes_per_cycle = get<double>(d, "dma_bytes_per_cycle");
    c.queue_depth = get<int>(d, "queue_depth");
    c.vec_startup = get<int64_t>(d, "vec_startup");
    c.weight_buffers = get<int>(d, "weight_buffers");
    auto fill = [&](const char* key, auto* out, int n) {
        const nb::list values = get<nb::list>(d, key);
        if (static_cast<int>(values.size()) != n) throw nb::value_error(key);
        for (int i = 0; i < n; ++i) out[i] = nb::cast<std::remove_reference_t<decltype(*out)>>(values[static_cast<size_t>(i)]);
    };
    fill("row_num", c.row_num, kDtypes);
    fill("row_den", c.row_den, kDtypes);
    fill("lanes", c.lanes, kDtypes);
    fill("vec_cycles", c.vec_cycles, kCosts);
    return c;
}

Options options_of(const nb::dict& d) {
    Options o;
    o.functional = get<bool>(d, "functional");
    o.check_hazards = get<bool>(d, "check_hazards");
    o.trace = get<bool>(d, "trace");
    o.max_cycles = get<int64_t>(d, "max_cycles");
    o.max_instructions = get<int64_t>(d, "max_instructions");
    o.max_hazards = get<int>(d, "max_hazards");
    return o;
}

template <class T>
nb::list list_of(const T* values, int n) {
    nb::list l;
    for (int i = 0; i < n; ++i) l.append(values[i]);
    return l;
}

nb::dict counters_of(const Counters& c) {
    nb::dict d;
    d["cycles"] = c.cycles;
    d["instructions"] = c.instructions;
    d["seq_full"] = c.seq_full;
    d["seq_semaphore"] = c.seq_semaphore;
    d["seq_fence"] = c.seq_fence;
    d["busy"] = list_of(c.busy, kQueues);
    d["stall_semaphore"] = list_of(c.stall_semaphore, kQueues);
    d["stall_latency"] = list_of(c.stall_latency, kQueues);
    d["stall_dram"] = list_of(c.stall_dram, kQueues);
    d["executed"] = list_of(c.executed, kQueues);
    d["dram_read"] = c.dram_read;
    d["dram_written"] = c.dram_written;
    d["dram_bus_read"] = c.dram_bus_read;
    d["dram_bus_written"] = c.dram_bus_written;
    d["sp_read"] = c.sp_read;
    d["sp_written"] = c.sp_written;
    d["macs"] = list_of(c.macs, kDtypes);
    d["vec_ops"] = c.vec_ops;
    return d;
}

nb::dict report_of(const Report& r) {
    nb::dict d;
    d["stop"] = static_cast<int>(r.stop);
    d["message"] = r.message;
    d["pc"] = r.pc;
    d["marker"] = r.marker;
    d["data_dependent"] = r.data_dependent;
    d["counters"] = counters_of(r.counters);
    nb::list hazards;
    for (const Hazard& h : r.hazards)
        hazards.append(nb::make_tuple(static_cast<int>(h.kind), h.dram, h.pc, h.other_pc, h.queue, h.other_queue, h.marker, h.low, h.high, h.cycle));
    d["hazards"] = hazards;
    d["hazards_dropped"] = r.hazards_dropped;
    d["trace"] = nb::bytes(reinterpret_cast<const char*>(r.trace.data()), r.trace.size() * sizeof(Slice));
    d["trace_dropped"] = r.trace_dropped;
    return d;
}

using Fields = nb::typed<nb::dict, nb::str, nb::any>;
using Buffers = nb::typed<nb::list, nb::typed<nb::tuple, int, nb::any, bool>>;
using Registers = nb::typed<nb::dict, int, int>;

Fields run(const nb::bytes& program, const Fields& config_dict, const Fields& options_dict, const Buffers& dram, const Registers& regs,
           const std::string& variant) {
    const Config config = config_of(config_dict);
    const Options options = options_of(options_dict);
    const Kernels* kernels = select_kernels(variant.c_str());
    if (!kernels) throw nb::value_error("this CPU has no such kernel variant");
    const Program code = decode({reinterpret_cast<const uint8_t*>(program.c_str()), program.size()});
    std::vector<Buffer> buffers;
    std::vector<Segment> segments;
    buffers.reserve(dram.size());
    for (nb::handle item : dram) {
        const auto [address, object, writable] = nb::cast<std::tuple<int64_t, nb::object, bool>>(item);
        Buffer& b = buffers.emplace_back(object, writable);
        segments.push_back({address, static_cast<int64_t>(b.view.len), static_cast<uint8_t*>(b.view.buf), writable});
    }
    std::array<int64_t, kRegisters> registers{};
    for (auto [key, value] : regs) registers.at(nb::cast<size_t>(key)) = nb::cast<int64_t>(value);

    Report report;
    {
        nb::gil_scoped_release release;
        // Another library may have set the CPU to flush denormals; our numbers must not depend on that.
        std::fenv_t saved;
        std::fegetenv(&saved);
        std::fesetenv(FE_DFL_ENV);
        Core core(config, options, code, std::move(segments), *kernels);
        report = core.run(registers, [] {
            nb::gil_scoped_acquire acquire;
            return PyErr_CheckSignals() != 0;
        });
        std::fesetenv(&saved);
    }
    if (report.stop == Stop::INTERRUPTED) throw nb::python_error();
    return nb::borrow<Fields>(report_of(report));
}

}  // namespace

NB_MODULE(_sim, m) {
    m.doc() = "The C++ core of the simulated accelerator; use accelc.targets.sim_accel.simulator.";
    nb::exception<FormatError>(m, "FormatError", PyExc_ValueError);
    m.def("run", &run, nb::arg("program"), nb::arg("config"), nb::arg("options"), nb::arg("dram"), nb::arg("regs"), nb::arg("variant"),
          "Runs an encoded program; the report as a dict. Raises FormatError for a malformed program.");
    m.def("decode", [](const nb::bytes& program) {
        return decode({reinterpret_cast<const uint8_t*>(program.c_str()), program.size()}).code.size();
    }, nb::arg("program"), "Checks an encoded program; its number of instructions. Raises FormatError.");
    m.def("variants", [] {
        nb::typed<nb::list, nb::str> names;
        for (const char* name : {"avx512", "avx2", "baseline"})
            if (select_kernels(name)) names.append(name);
        return names;
    }, "The kernel variants that this CPU can run, best first; all give the same bits.");
}
