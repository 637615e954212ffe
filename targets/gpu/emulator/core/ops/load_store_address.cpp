// Instructions about memory that move no data: which space an address lies in, whose shared memory it names, hints for
// caches (of which only the addresses are checked, where the manual asks something of them), and the dynamic stack.
#include "ops/load_store.h"

#include "decode/context.h"
#include "ops/load_store_words.h"

namespace emu {
namespace {

// ---- isspacep, mapa, getctarank -------------------------------------------------------------------------------------

/// Does a generic address lie in constant memory? It is global memory's addresses that nobody can write.
bool is_constant(Warp& w, const Inst& i, uint64_t address) {
    Place place;
    return place_of(w, i, Space::generic, address, false, place) && place.region->space == Space::constant;
}

void isspacep(Warp& w, const Inst& i, Mask mask) {
    const uint64_t* a = w.get<uint64_t>(i.a);
    Mask result = 0;
    each_lane(mask, [&](int l) {
        uint64_t within;
        const Space space = space_of(a[l], within);
        bool is = false;
        switch (i.space) {
            case Space::global: is = space == Space::global && !is_constant(w, i, a[l]); break;
            case Space::constant: is = space == Space::global && is_constant(w, i, a[l]); break;
            case Space::shared: {
                const uint64_t rank = within >> kRankShift;
                const size_t ranks = w.cta->cluster ? w.cta->cluster->ctas.size() : 1;
                is = space == Space::shared && (i.n != 0 ? rank < ranks : rank == w.cta->rank);
                break;
            }
            default: is = space == i.space;
        }
        result |= static_cast<Mask>(is) << l;
    });
    w.put_predicate(i.d, result, mask);
}

template <class T>
void mapa(Warp& w, const Inst& i, Mask mask) {
    uint64_t address[kLanes];
    w.addresses(i, address);
    const uint32_t* rank = w.get<uint32_t>(i.b);
    T d[kLanes];
    for (int l = 0; l < kLanes; ++l) {
        const uint64_t within = address[l] & ((uint64_t{1} << kRankShift) - 1), window = address[l] >> 32 << 32;
        d[l] = static_cast<T>(window | static_cast<uint64_t>(rank[l] & 0xff) << kRankShift | within);
    }
    w.put(i.d, d, mask);
}

void getctarank(Warp& w, const Inst& i, Mask mask) {
    uint64_t address[kLanes];
    w.addresses(i, address);
    uint32_t d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = static_cast<uint32_t>(address[l] & 0xffffffffu) >> kRankShift;
    w.put(i.d, d, mask);
}

/// An address that is an operand without brackets: a register of the instruction's type, or a shared variable.
void shared_address(Decode& d, size_t n, Type type) {
    bool cluster;
    const Space space = space_named(d, &cluster);
    if (d.operand(n).kind == ast::Operand::reg && d.find(d.operand(n).name).kind == Entity::reg) d.source(n, type);
    d.address(n, space);
}

// ---- caches ---------------------------------------------------------------------------------------------------------

void nothing(Warp&, const Inst&, Mask) {}

/// The line must be there: aligned to its 128 bytes, and for discard (n: 1), which destroys its contents, writable. The
/// emulator keeps the contents; they are one of the values that may be read.
void line(Warp& w, const Inst& i, Mask mask) {
    uint64_t address[kLanes];
    w.addresses(i, address);
    Resolved r;
    resolve(w, i, mask, i.space, address, 128, 128, i.n != 0, r);
    if (w.sanitizer != nullptr && i.n != 0 && r.ok != 0) w.sanitizer->access(w, i, r.ok, r, 128, Access::store());
}

void copy64(Warp& w, const Inst& i, Mask mask) {
    uint64_t value[kLanes];
    std::memcpy(value, w.get<uint64_t>(i.a), sizeof value);
    w.put(i.d, value, mask);
}

// A cache policy says nothing to the emulator; any word does.
constexpr uint64_t kPolicy = 0x10f0'0000'0000'0000ull;

// ---- the dynamic stack ----------------------------------------------------------------------------------------------

/// It grows from the end of a lane's local memory downwards; special_stack has the bytes in use.
template <class T>
void allocate(Warp& w, const Inst& i, Mask mask) {
    const T* bytes = w.get<T>(i.a);
    uint32_t* stack = w.out<uint32_t>(special_stack);
    const uint32_t* frame = w.get<uint32_t>(special_frame);
    T d[kLanes] = {};
    each_lane(mask, [&](int l) {
        const auto wanted = static_cast<uint64_t>(bytes[l]);
        const uint64_t top = w.local_lane - stack[l], low = frame[l] + static_cast<uint64_t>(i.imm);
        const uint64_t start = wanted <= top ? (top - wanted) & ~(static_cast<uint64_t>(i.n) - 1) : 0;
        if (wanted > top || start < low) {
            w.fault(Kind::out_of_bounds, i, l, 0,
                    "alloca of " + std::to_string(wanted) + " bytes: the thread's stack has " +
                        std::to_string(top > low ? top - low : 0) + " left (Launch's stack_bytes)");
            return;
        }
        stack[l] = static_cast<uint32_t>(w.local_lane - start);
        d[l] = static_cast<T>(start);
    });
    w.put(i.d, d, mask);
}

template <class T>
void save(Warp& w, const Inst& i, Mask mask) {
    const uint32_t* stack = w.get<uint32_t>(special_stack);
    T d[kLanes];
    for (int l = 0; l < kLanes; ++l) d[l] = static_cast<T>(w.local_lane - stack[l]);
    w.put(i.d, d, mask);
}

template <class T>
void restore(Warp& w, const Inst& i, Mask mask) {
    const T* a = w.get<T>(i.a);
    uint32_t* stack = w.out<uint32_t>(special_stack);
    each_lane(mask, [&](int l) {
        const auto top = static_cast<uint64_t>(a[l]);
        if (top > w.local_lane || w.local_lane - top > stack[l]) {
            w.fault(Kind::out_of_bounds, i, l, top, "stackrestore of what no stacksave gave");
            return;
        }
        stack[l] = static_cast<uint32_t>(w.local_lane - top);
    });
}

}  // namespace

void decode_isspacep(Decode& d) {
    d.expect(2, 2);
    bool cluster;
    d.inst.space = space_named(d, &cluster);
    d.inst.n = cluster ? 1 : 0;
    d.inst.a = d.source(1, Type::b64);
    d.inst.d = d.predicate_dest(d.operand(0));
    d.inst.run = isspacep;
}

void decode_mapa(Decode& d) {
    d.expect(3, 3);
    const Type type = d.type();
    shared_address(d, 1, type);
    d.inst.b = d.source(2, Type::u32);
    d.inst.d = d.dest(0, type);
    d.inst.run = type == Type::u32 ? mapa<uint32_t> : mapa<uint64_t>;
}

void decode_getctarank(Decode& d) {
    d.expect(2, 2);
    shared_address(d, 1, d.type());
    d.inst.d = d.dest(0, Type::u32);
    d.inst.run = getctarank;
}

void decode_prefetch(Decode& d) {
    d.expect(1, 1);
    bool cluster;
    d.address(0, space_named(d, &cluster));
    d.inst.run = nothing;
}

void decode_line(Decode& d) {
    d.expect(2, 2);
    if (d.literal(1) != 128) d.fail("the size must be 128");
    bool cluster;
    d.address(0, space_named(d, &cluster));
    d.inst.n = d.source_text.opcode == "discard" ? 1 : 0;
    d.inst.run = line;
}

void decode_createpolicy(Decode& d) {
    d.expect(1, 2);
    if (d.operands() == 2) d.source(1, Type::f32);
    d.inst.a = d.constant(kPolicy, 8);
    d.inst.d = d.dest(0, Type::b64);
    d.inst.run = copy64;
}

void decode_createpolicy_range(Decode& d) {
    d.expect(4, 4);
    bool cluster;
    d.address_of(d.operand(1), space_named(d, &cluster));
    d.source(2, Type::u32);
    d.source(3, Type::u32);
    d.inst.a = d.constant(kPolicy, 8);
    d.inst.d = d.dest(0, Type::b64);
    d.inst.run = copy64;
}

void decode_createpolicy_cvt(Decode& d) {
    d.expect(2, 2);
    d.inst.a = d.source(1, Type::b64);
    d.inst.d = d.dest(0, Type::b64);
    d.inst.run = copy64;
}

void decode_alloca(Decode& d) {
    d.expect(2, 3);
    const Type type = d.type();
    const int64_t align = d.operands() == 3 ? d.literal(2) : 8;
    if (align < 1 || align > 32768 || (align & (align - 1)) != 0) d.fail("the alignment must be a power of two");
    d.inst.a = d.source(1, type);
    d.inst.d = d.dest(0, type);
    d.inst.n = static_cast<uint16_t>(align < 8 ? 8 : align);
    d.inst.imm = d.context.program.functions[d.context.function_index].frame;
    d.context.program.recursive = true;  // a stack is wanted
    d.inst.run = type == Type::u32 ? allocate<uint32_t> : allocate<uint64_t>;
}

void decode_stacksave(Decode& d) {
    d.expect(1, 1);
    d.inst.d = d.dest(0, d.type());
    d.inst.run = d.type() == Type::u32 ? save<uint32_t> : save<uint64_t>;
}

void decode_stackrestore(Decode& d) {
    d.expect(1, 1);
    d.inst.a = d.source(0, d.type());
    d.inst.run = d.type() == Type::u32 ? restore<uint32_t> : restore<uint64_t>;
}

}  // namespace emu
