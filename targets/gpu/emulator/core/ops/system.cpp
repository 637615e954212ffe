// Functions that PTX calls by name and nobody defines: vprintf, __assertfail, and the table of all of them.
#include "ops/system.h"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "machine/cta.h"
#include "machine/launch.h"

namespace emu {

namespace {

constexpr size_t kOutputLimit = size_t{16} << 20;  // of a launch's output; what comes after is left out
constexpr size_t kStringLimit = size_t{1} << 20;
constexpr int kWidthLimit = 4096;

/// `bytes` at a generic address, as the lane reads them. False after a fault.
bool read(Warp& w, const Inst& i, int lane, uint64_t address, void* to, uint32_t bytes) {
    Region* region = nullptr;
    const uint8_t* host = resolve_one(w, i, lane, Space::generic, address, bytes, 1, false, &region, true);
    if (!host) return false;
    std::memcpy(to, host, bytes);
    return true;
}

/// A string that ends with a zero byte.
bool read_string(Warp& w, const Inst& i, int lane, uint64_t address, std::string& text) {
    text.clear();
    for (; text.size() < kStringLimit; ++address) {
        Region* region = nullptr;
        const uint8_t* host = resolve_one(w, i, lane, Space::generic, address, 1, 1, false, &region, true);
        if (!host) return false;
        // What follows in the same region can be read at once; local memory is laid out by lane.
        size_t room = 1;
        if (region->space != Space::local) room = region->bytes - static_cast<uint64_t>(host - region->host);
        room = std::min(room, kStringLimit - text.size());
        const void* end = std::memchr(host, 0, room);
        const size_t length = end ? static_cast<size_t>(static_cast<const uint8_t*>(end) - host) : room;
        text.append(reinterpret_cast<const char*>(host), length);
        if (end) return true;
        address += room - 1;
    }
    return true;
}

/// One conversion of a format: %[flags][width][.precision][size]type.
struct Conversion {
    std::string flags;
    int width = -1, precision = -1;
    bool star_width = false, star_precision = false;
    int size = 4;   // bytes of an integer
    char type = 0;  // 0: the format ended in the middle of it
};

Conversion parse(const std::string& format, size_t& at) {
    Conversion c;
    const auto number = [&] {
        int n = 0;
        while (at < format.size() && format[at] >= '0' && format[at] <= '9') {
            n = std::min(n * 10 + (format[at++] - '0'), kWidthLimit);
        }
        return n;
    };
    while (at < format.size() && std::strchr("-+ #0", format[at])) {
        if (c.flags.find(format[at]) == std::string::npos) c.flags += format[at];
        ++at;
    }
    if (at < format.size() && format[at] == '*') { c.star_width = true; ++at; }
    else if (at < format.size() && format[at] >= '1' && format[at] <= '9') c.width = number();
    if (at < format.size() && format[at] == '.') {
        ++at;
        if (at < format.size() && format[at] == '*') { c.star_precision = true; ++at; }
        else c.precision = number();
    }
    while (at < format.size() && std::strchr("hlzjtqL", format[at])) {
        if (format[at] == 'h') c.size = c.size == 2 ? 1 : 2;
        else c.size = 8;
        ++at;
    }
    if (at < format.size()) c.type = format[at++];
    return c;
}

/// The arguments behind a vprintf's second pointer, each aligned to its size.
class Arguments {
public:
    Arguments(Warp& w, const Inst& i, int lane, uint64_t address) : w_(w), i_(i), lane_(lane), address_(address) {}
    bool next(uint32_t bytes, uint64_t& value) {
        offset_ = (offset_ + bytes - 1) / bytes * bytes;
        value = 0;
        const bool ok = read(w_, i_, lane_, address_ + offset_, &value, bytes);
        offset_ += bytes;
        ++count_;
        return ok;
    }
    uint32_t count() const { return count_; }

private:
    Warp& w_;
    const Inst& i_;
    int lane_;
    uint64_t address_, offset_ = 0;
    uint32_t count_ = 0;
};

template <class T>
void print(std::string& out, const Conversion& c, const char* size, char type, T value) {
    std::string spec = "%" + c.flags;
    if (c.width >= 0) spec += std::to_string(c.width);
    if (c.precision >= 0) spec += "." + std::to_string(c.precision);
    spec += std::string(size) + type;
    char text[512];
    const int length = std::snprintf(text, sizeof text, spec.c_str(), value);
    if (length < 0) return;
    if (static_cast<size_t>(length) < sizeof text) {
        out.append(text, static_cast<size_t>(length));
        return;
    }
    std::string big(static_cast<size_t>(length) + 1, '\0');
    std::snprintf(big.data(), big.size(), spec.c_str(), value);
    out.append(big.data(), static_cast<size_t>(length));
}

/// False after a fault.
bool convert(Warp& w, const Inst& i, int lane, Conversion c, Arguments& arguments, std::string& out) {
    uint64_t bits = 0;
    if (c.star_width) {
        if (!arguments.next(4, bits)) return false;
        const auto n = static_cast<int32_t>(bits);
        if (n < 0) c.flags += '-';
        c.width = static_cast<int>(std::min<int64_t>(n < 0 ? -static_cast<int64_t>(n) : n, kWidthLimit));
    }
    if (c.star_precision) {
        if (!arguments.next(4, bits)) return false;
        c.precision = std::min(static_cast<int32_t>(bits), kWidthLimit);
    }
    switch (c.type) {
        case 'd': case 'i': {
            if (!arguments.next(c.size == 8 ? 8 : 4, bits)) return false;
            const long long value = c.size == 8   ? static_cast<int64_t>(bits)
                                    : c.size == 4 ? static_cast<int32_t>(bits)
                                    : c.size == 2 ? static_cast<int16_t>(bits)
                                                  : static_cast<int8_t>(bits);
            print(out, c, "ll", 'd', value);
            return true;
        }
        case 'u': case 'o': case 'x': case 'X': {
            if (!arguments.next(c.size == 8 ? 8 : 4, bits)) return false;
            if (c.size < 4) bits &= (uint64_t{1} << (8 * c.size)) - 1;
            print(out, c, "ll", c.type, static_cast<unsigned long long>(bits));
            return true;
        }
        case 'c':
            if (!arguments.next(4, bits)) return false;
            print(out, c, "", 'c', static_cast<int>(bits & 0xff));
            return true;
        case 'e': case 'E': case 'f': case 'F': case 'g': case 'G': case 'a': case 'A':
            if (!arguments.next(8, bits)) return false;
            print(out, c, "", c.type, std::bit_cast<double>(bits));
            return true;
        case 'p':
            if (!arguments.next(8, bits)) return false;
            print(out, c, "", 'p', reinterpret_cast<const void*>(static_cast<uintptr_t>(bits)));
            return true;
        case 's': {
            if (!arguments.next(8, bits)) return false;
            std::string text = "(null)";
            if (bits != 0 && !read_string(w, i, lane, bits, text)) return false;
            print(out, c, "", 's', text.c_str());
            return true;
        }
        default: return true;
    }
}

void emit(Launch& launch, const std::string& text) {
    const std::scoped_lock lock(launch.mutex);
    if (launch.output.size() < kOutputLimit) launch.output.append(text, 0, kOutputLimit - launch.output.size());
}

/// vprintf(format, arguments): the number of arguments; -1 without a format.
void run_vprintf(Warp& w, const Inst& i, Mask mask) {
    if (!call_fits(w, i, {8, 8}, 4)) return;
    std::string format, out;
    uint64_t read_last = 0;
    for (Mask m = mask; m; m &= m - 1) {
        const int l = std::countr_zero(m);
        const uint64_t address = call_parameter(w, i, l, 0, 8);
        if (address == 0) {
            call_result(w, i, l, 0xffffffffu, 4);
            continue;
        }
        if ((address != read_last || address < kGlobalBase) && !read_string(w, i, l, address, format)) return;
        read_last = address;
        Arguments arguments(w, i, l, call_parameter(w, i, l, 1, 8));
        out.clear();
        bool ok = true;
        for (size_t at = 0; at < format.size() && ok && out.size() < kOutputLimit;) {
            if (format[at] != '%') {
                out += format[at++];
                continue;
            }
            const size_t begin = at++;
            if (at < format.size() && format[at] == '%') {
                out += '%';
                ++at;
                continue;
            }
            const Conversion c = parse(format, at);
            if (c.type == 0 || !std::strchr("diuoxXceEfFgGaAps", c.type)) out.append(format, begin, at - begin);
            else ok = convert(w, i, l, c, arguments, out);
        }
        emit(*w.launch, out);
        call_result(w, i, l, arguments.count(), 4);
        if (!ok && w.launch->stop.load(std::memory_order_relaxed)) return;
    }
}

/// __assertfail(message, file, line, function, size of a character).
void run_assertfail(Warp& w, const Inst& i, Mask mask) {
    if (!call_fits(w, i, {8, 8, 4, 8, 8}, 0)) return;
    for (Mask m = mask; m; m &= m - 1) {
        const int l = std::countr_zero(m);
        std::string text[3];
        constexpr size_t kStrings[] = {0, 1, 3};
        for (int k = 0; k < 3; ++k) {
            const uint64_t address = call_parameter(w, i, l, kStrings[k], 8);
            if (address && !read_string(w, i, l, address, text[k])) return;
        }
        uint32_t thread[3];
        Launch::unravel(w.thread(l), w.launch->options.block, thread);
        const auto triple = [](const uint32_t* v) {
            return "[" + std::to_string(v[0]) + "," + std::to_string(v[1]) + "," + std::to_string(v[2]) + "]";
        };
        const std::string place = text[1] + ":" + std::to_string(call_parameter(w, i, l, 2, 4)) + ": " + text[2];
        emit(*w.launch, place + ": block: " + triple(w.cta->id) + ", thread: " + triple(thread) + " Assertion `" +
                            text[0] + "` failed.\n");
        w.fault(Kind::trap, i, l, 0, "assertion `" + text[0] + "` failed at " + place);
    }
    w.exit(mask);
}

struct Named {
    const char* name;
    SystemCall run;
};
constexpr Named kCalls[] = {
    {"vprintf", run_vprintf},
    {"__assertfail", run_assertfail},
    {"malloc", system_malloc},
    {"free", system_free},
};

constexpr const char* kDynamicParallelism = "kernels cannot launch kernels in this emulator (CUDA dynamic parallelism)";

struct Refusal {
    const char* prefix;
    const char* reason;
};
constexpr Refusal kRefusals[] = {
    {"cudaGetParameterBuffer", kDynamicParallelism},
    {"cudaLaunchDevice", kDynamicParallelism},
    {"__cudaCDP2", kDynamicParallelism},
    {"cudaDeviceSynchronize", kDynamicParallelism},
    {"cudaStream", kDynamicParallelism},
    {"cudaEvent", kDynamicParallelism},
    {"cudaGraph", kDynamicParallelism},
    {"__nv_", "link libdevice into the module first"},
};

}  // namespace

SystemCall system_call(const std::string& name) {
    for (const Named& n : kCalls) if (name == n.name) return n.run;
    return nullptr;
}

const char* system_refusal(const std::string& name) {
    for (const Refusal& r : kRefusals) if (name.rfind(r.prefix, 0) == 0) return r.reason;
    return nullptr;
}

bool call_fits(Warp& w, const Inst& i, std::initializer_list<uint32_t> parameters, uint32_t result) {
    const CallFrame& frame = i.as<CallFrame>();
    bool fits = frame.parameters.size() == parameters.size() && frame.results.size() <= (result ? 1u : 0u);
    for (size_t k = 0; fits && k < frame.parameters.size(); ++k) {
        fits = frame.parameters[k].second == parameters.begin()[k];
    }
    if (fits && !frame.results.empty()) fits = frame.results[0].second == result;
    if (!fits) {
        w.fault(Kind::trap, i, -1, 0, "the function of the system is called with parameters that it does not have");
    }
    return fits;
}

}  // namespace emu
