// The tables of all forms, and finding the one that an instruction's modifiers fit.
#include "decode/match.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace emu {

std::span<const Forms> all_forms() {
    static const std::array tables = {
        integer_forms(), bits_forms(), compare_forms(), move_forms(), control_forms(), float_forms(),
        transcendental_forms(), half_forms(), convert_forms(), load_store_forms(), atomic_forms(), barrier_forms(),
        warp_level_forms(), mbarrier_forms(), async_copy_forms(), bulk_copy_forms(), tensor_copy_forms(),
        matrix_load_forms(), mma_forms(), wmma_forms(), wgmma_forms(),
    };
    return tables;
}

namespace {

struct Word {
    std::vector<std::string> alternatives;
    bool optional = false;
};

struct Row {
    const Form* form;
    std::vector<Word> words;
};

Row parse_row(const Form& form) {
    Row row{&form, {}};
    const std::string text = form.modifiers;
    size_t at = 0;
    while (at < text.size()) {
        if (text[at] == ' ') { ++at; continue; }
        size_t end = text.find(' ', at);
        if (end == std::string::npos) end = text.size();
        std::string token = text.substr(at, end - at);
        Word word;
        if (token.front() == '[') {
            word.optional = true;
            token = token.substr(1, token.size() - 2);
        }
        size_t from = 0;
        while (from <= token.size()) {
            size_t bar = token.find('|', from);
            if (bar == std::string::npos) bar = token.size();
            word.alternatives.push_back(token.substr(from, bar - from));
            from = bar + 1;
        }
        row.words.push_back(std::move(word));
        at = end;
    }
    return row;
}

const std::unordered_map<std::string, std::vector<Row>>& rows() {
    static const auto table = [] {
        std::unordered_map<std::string, std::vector<Row>> t;
        for (const Forms& forms : all_forms()) {
            for (const Form& form : forms) t[form.opcode].push_back(parse_row(form));
        }
        return t;
    }();
    return table;
}

bool fits(const Row& row, size_t w, const std::vector<std::string>& modifiers, size_t m,
          std::vector<std::string>& chosen) {
    if (w == row.words.size()) return m == modifiers.size();
    const Word& word = row.words[w];
    if (m < modifiers.size()) {
        for (const auto& a : word.alternatives) {
            if (a == modifiers[m]) {
                chosen[w] = a;
                if (fits(row, w + 1, modifiers, m + 1, chosen)) return true;
                break;
            }
        }
    }
    chosen[w].clear();
    return word.optional && fits(row, w + 1, modifiers, m, chosen);
}

/// Types and shapes say by their order which operand they are of; other words do not.
bool is_ordered(const std::string& word) {
    static const std::array kinds = {"u", "s", "b", "f", "bf", "tf", "e", "m", "x", "v", "pred"};
    const size_t digits = word.find_first_of("0123456789");
    if (digits == std::string::npos) return word == "pred";
    return std::find(kinds.begin(), kinds.end(), word.substr(0, digits)) != kinds.end();
}

/// The manual gives modifiers in an order, and ptxas takes others, which compilers make use of (Triton:
/// atom.global.gpu.acq_rel.add; CUB: vote.ballot.sync). Each word of the row takes a modifier that is left; `budget`
/// bounds the search.
bool fits_in_any_order(const Row& row, size_t w, const std::vector<std::string>& modifiers, uint32_t left, int& budget,
                       std::vector<std::string>& chosen) {
    if (--budget < 0) return false;
    if (w == row.words.size()) return left == 0;
    const Word& word = row.words[w];
    bool ordered_before = false;
    for (size_t m = 0; m < modifiers.size(); ++m) {
        if (!(left >> m & 1)) continue;
        const bool ordered = is_ordered(modifiers[m]);
        if (ordered && ordered_before) continue;
        ordered_before = ordered_before || ordered;
        if (std::find(word.alternatives.begin(), word.alternatives.end(), modifiers[m]) == word.alternatives.end()) {
            continue;
        }
        chosen[w] = modifiers[m];
        if (fits_in_any_order(row, w + 1, modifiers, left & ~(1u << m), budget, chosen)) return true;
    }
    chosen[w].clear();
    return word.optional && fits_in_any_order(row, w + 1, modifiers, left, budget, chosen);
}

}  // namespace

const Form* match(const ast::Instruction& instruction, std::vector<std::string>& words) {
    const auto found = rows().find(instruction.opcode);
    if (found == rows().end() || instruction.modifiers.size() > 32) return nullptr;
    for (const Row& row : found->second) {
        words.assign(row.words.size(), "");
        if (fits(row, 0, instruction.modifiers, 0, words)) return row.form;
    }
    const size_t count = instruction.modifiers.size();
    if (count < 2 || count > 31) return nullptr;
    int budget = 20'000;
    for (const Row& row : found->second) {
        words.assign(row.words.size(), "");
        if (fits_in_any_order(row, 0, instruction.modifiers, (1u << count) - 1, budget, words)) return row.form;
    }
    return nullptr;
}

std::string no_match(const ast::Instruction& instruction) {
    const auto found = rows().find(instruction.opcode);
    if (found == rows().end()) {
        for (const Refused& r : refused_opcodes()) {
            const std::string opcode = r.opcode;
            const bool prefix = opcode.back() == '*';
            if (prefix ? instruction.opcode.rfind(opcode.substr(0, opcode.size() - 1), 0) == 0
                       : instruction.opcode == opcode) {
                return std::string("is not supported: ") + r.reason;
            }
        }
        return "unknown instruction";
    }
    std::string text = "no such form; the emulator has ";
    size_t shown = 0;
    for (const Row& row : found->second) {
        if (shown == 6) { text += ", and others"; break; }
        text += (shown++ ? "; " : "") + instruction.opcode + (*row.form->modifiers ? " " : "") + row.form->modifiers;
    }
    return text;
}

}  // namespace emu
