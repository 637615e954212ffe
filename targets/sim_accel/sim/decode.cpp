#include "decode.h"

#include <array>
#include <cstring>

namespace sim {
namespace {

[[noreturn]] void bad_word(size_t word, size_t pc, const std::string& text) {
    throw FormatError("program word " + std::to_string(word) + " (instruction " + std::to_string(pc) + "): " + text);
}
[[noreturn]] void bad_instruction(size_t pc, const std::string& text) {
    throw FormatError("instruction " + std::to_string(pc) + ": " + text);
}

uint32_t crc32(std::span<const uint8_t> data) {
    static const auto table = [] {
        std::array<uint32_t, 256> t{};
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t c = i;
            for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
            t[i] = c;
        }
        return t;
    }();
    uint32_t c = ~0u;
    for (uint8_t byte : data) c = table[(c ^ byte) & 255] ^ c >> 8;
    return ~c;
}

template <class T>
T read(std::span<const uint8_t> bytes, size_t at) {
    T v;
    std::memcpy(&v, bytes.data() + at, sizeof v);
    return v;
}

bool is_float(uint32_t dtype) { return dtype <= DT_E5M2; }
bool is_matrix(uint32_t dtype) { return dtype <= DT_U8; }
bool is_index(uint32_t dtype) { return dtype == DT_I32 || dtype == DT_I64; }
bool dma_converts(uint32_t a, uint32_t b) {
    return a == b || (a == DT_F32 && (b == DT_BF16 || b == DT_F16)) || (b == DT_F32 && (a == DT_BF16 || a == DT_F16));
}

/// The rules of encoding.validate.
const char* problem_of(const Instr& i) {
    const int op = i.spec->opcode;
    const uint32_t dst = i.bits[F_DST], a = i.bits[F_A], b = i.bits[F_B];
    if (i.spec->unit == Unit::DMA) {
        if (i.bits[F_Q] < Q_DMA0) return "the queue is not a DMA queue";
        if (!dma_converts(dst, a)) return "the DMA does not convert between these types";
        if (op >= OP_DMA_GATHER && !i.bits[F_BOUNDED]) return "gather and scatter need pos, size and step";
        if (op >= OP_DMA_GATHER && !is_index(b)) return "the index must be i32 or i64";
    }
    switch (op) {
        case OP_MM_LOAD:
            if (!is_matrix(a)) return "not a matrix format";
            break;
        case OP_MM_MUL:
            if (!is_matrix(a)) return "not a matrix format";
            if (dst != (is_float(a) ? DT_F32 : DT_I32)) return "the accumulator has the wrong type";
            if (i.rank() > 4) return "the shape has more than 4 dimensions";
            break;
        case OP_SLOAD:
            if (is_float(a)) return "sload reads integers";
            break;
        case OP_VGATHER:
            if (!is_index(a)) return "the index must be i32 or i64";
            if (dst != b) return "dst and table have different types";
            break;
        case OP_VARGMAX:
        case OP_VARGMIN:
            if (!is_index(b)) return "the index must be i32 or i64";
            break;
        case OP_VIOTA:
            if (static_cast<int>(i.bits[F_DIM]) >= i.rank()) return "dim is outside the shape";
            break;
        default: break;
    }
    for (int f = 0; f < i.spec->n_fields; ++f) {
        const Kind kind = i.spec->fields[f].kind;
        if (kind == Kind::CTYPE && !(i.spec->ctypes >> i.bits[F_CT] & 1)) return "no such compute type";
        if (kind == Kind::DIMS && (!i.bits[F_DIMS] || i.bits[F_DIMS] >> i.rank())) return "dims is empty or outside the shape";
    }
    return nullptr;
}

/// How many slots a field takes; checks its header bits.
int slots_of(const FieldDesc& field, const Instr& i, size_t word, size_t pc) {
    const uint32_t bits = i.bits[field.id];
    const int rank = i.rank();
    auto dtype = [&](uint32_t code) {
        if (code >= kDtypes) bad_word(word, pc, "unknown type code " + std::to_string(code));
    };
    switch (field.kind) {
        case Kind::QUEUE:
            if (bits >= kQueues) bad_word(word, pc, "unknown queue " + std::to_string(bits));
            return 0;
        case Kind::CTYPE:
            if (bits > CT_I64) bad_word(word, pc, "unknown compute type " + std::to_string(bits));
            return 0;
        case Kind::SHAPE: return rank;
        case Kind::TILE: dtype(bits); return 1 + rank;
        case Kind::VECTOR: dtype(bits); return 2;
        case Kind::CELL: dtype(bits); return 1;
        case Kind::OPERAND:
            if (bits >> 4 == 0) {
                dtype(bits & 15);
                return 1 + rank;
            }
            if (bits >> 4 == 3 || bits & 15) bad_word(word, pc, "malformed operand kind");
            return 1;
        case Kind::VALUE:
        case Kind::U32:
        case Kind::TARGET:
        case Kind::END: return 1;
        case Kind::I64: return 2;
        case Kind::BOUND: return i.bits[F_BOUNDED] ? rank : 0;
        case Kind::FILL: return i.bits[F_BOUNDED] ? 1 : 0;
        default: return 0;
    }
}

void check_flow(Program& p) {
    std::vector<size_t> open;
    std::vector<int64_t> region;
    for (size_t pc = 0; pc < p.code.size(); ++pc) {
        Instr& i = p.code[pc];
        region.push_back(open.empty() ? -1 : static_cast<int64_t>(open.back()));
        if (i.spec->opcode == OP_LOOP) {
            open.push_back(pc);
            if (open.size() > kMaxLoopDepth) bad_instruction(pc, "loops nest too deep");
        } else if (i.spec->opcode == OP_ENDLOOP) {
            if (open.empty()) bad_instruction(pc, "endloop without a loop");
            const size_t start = open.back();
            open.pop_back();
            if (p.slot(p.code[start], F_END) != pc - start) bad_instruction(start, "the loop's end is not at its endloop");
            i.loop = static_cast<int32_t>(start);
        }
    }
    if (!open.empty()) bad_instruction(open.back(), "loop without an endloop");
    for (size_t pc = 0; pc < p.code.size(); ++pc) {
        const int op = p.code[pc].spec->opcode;
        if (op < OP_JMP || op > OP_BGE) continue;
        const int64_t target = static_cast<int64_t>(pc) + static_cast<int32_t>(p.slot(p.code[pc], F_TARGET));
        if (target < 0 || target >= static_cast<int64_t>(p.code.size())) bad_instruction(pc, "branch outside the program");
        if (region[static_cast<size_t>(target)] != region[pc]) bad_instruction(pc, "branch crosses the boundary of a loop");
    }
}

}  // namespace

Program decode(std::span<const uint8_t> bytes) {
    if (bytes.size() < 24) throw FormatError("the program is shorter than its header");
    if (std::memcmp(bytes.data(), "ASIM", 4) != 0) throw FormatError("not a sim_accel program");
    const auto version = read<uint16_t>(bytes, 4);
    if (version != kVersion) throw FormatError("a sim_accel program of version " + std::to_string(version));
    const size_t n_words = read<uint32_t>(bytes, 8), n_instructions = read<uint32_t>(bytes, 12);
    if (read<uint16_t>(bytes, 6) || read<uint32_t>(bytes, 20)) throw FormatError("reserved header fields are not zero");
    if (bytes.size() != 24 + 8 * n_words) throw FormatError("the program's length is not what its header announces");
    if (crc32(bytes.subspan(24)) != read<uint32_t>(bytes, 16)) throw FormatError("the program's checksum does not match");

    static const auto by_opcode = [] {
        std::array<const Spec*, 256> t{};
        for (const Spec& s : kSpecs) t[s.opcode] = &s;
        return t;
    }();
    Program p;
    for (size_t word = 0; word < n_words;) {
        const size_t pc = p.code.size();
        const auto header = read<uint64_t>(bytes, 24 + 8 * word);
        const Spec* spec = by_opcode[header & 255];
        if (!spec) bad_word(word, pc, "unknown opcode " + std::to_string(header & 255));
        if (spec->header_bits < 64 && header >> spec->header_bits) bad_word(word, pc, "unused header bits are not zero");
        Instr i{};
        i.spec = spec;
        i.slots = static_cast<uint32_t>(p.slots.size());
        bool shaped = false;
        for (int f = 0; f < spec->n_fields; ++f) {
            const FieldDesc& d = spec->fields[f];
            if (d.width) i.bits[d.id] = static_cast<uint32_t>(header >> d.low & ((1ull << d.width) - 1));
            shaped |= d.kind == Kind::SHAPE;
        }
        if (shaped && (i.rank() < 1 || i.rank() > kMaxRank)) bad_word(word, pc, "a shape of rank " + std::to_string(i.rank()));
        int n = 0;
        for (int f = 0; f < spec->n_fields; ++f) {
            i.at[spec->fields[f].id] = static_cast<uint16_t>(n);
            n += slots_of(spec->fields[f], i, word, pc);
        }
        const size_t words = 1 + static_cast<size_t>(n + 1) / 2;
        if (word + words > n_words) bad_word(n_words - 1, pc, "the program ends inside this instruction");
        for (int s = 0; s < n + n % 2; ++s) {
            const auto value = read<uint32_t>(bytes, 24 + 8 * (word + 1) + 4 * static_cast<size_t>(s));
            if (s == n && value) bad_word(word + words - 1, pc, "the unused last half is not zero");
            if (s < n) p.slots.push_back(value);
        }
        p.code.push_back(i);
        for (int f = 0; f < spec->n_fields; ++f) {
            const FieldDesc& d = spec->fields[f];
            if (d.kind == Kind::OPERAND && i.bits[d.id] >> 4 == 2 && !(p.slot(i, d.id) >> 31))
                bad_word(word, pc, "a register operand must name a register");
        }
        if (const char* problem = problem_of(i)) bad_word(word, pc, std::string(spec->name) + ": " + problem);
        word += words;
    }
    if (p.code.size() != n_instructions) throw FormatError("the number of instructions is not what the header announces");
    check_flow(p);
    return p;
}

}  // namespace sim
