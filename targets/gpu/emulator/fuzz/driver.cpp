// The fuzz campaign: mutants of a corpus of PTX files go through the whole emulator, built with AddressSanitizer and
// UndefinedBehaviorSanitizer. A child process runs the cases; its parent watches: whatever ends the child, and every
// case that takes too long, is saved with what the sanitizers said, and the campaign goes on behind it.
//
//   emulator_fuzz CORPUS [--cases N] [--seed S] [--first I] [--seconds T] [--failures DIR] [--stop K]
//   emulator_fuzz --run FILE [--seed S] [--first I]   one file as it is, as case I (its arguments depend on it)
//
// Exit status: 0 if nothing failed, 1 if something did, 2 for a wrong command line.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "corpus.h"
#include "mutate.h"
#include "run_case.h"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Settings {
    fs::path corpus, failures = "fuzz-failures", run;
    uint64_t cases = 100000, seed = 1, first = 0, stop = 20;
    double seconds = 20;  // of the processor, for one case; by the clock, ten times as many
};

/// What child and parent share.
struct Shared {
    std::atomic<uint64_t> next;     // the case that runs
    std::atomic<int64_t> begin;     // when it began, ns; by the clock, and of the processor
    std::atomic<int64_t> begin_cpu;
    std::atomic<uint64_t> size;     // of its text; 0: none runs
    fuzz::Tally tally;
    char text[4 << 20];
};

int64_t now(clockid_t clock = CLOCK_MONOTONIC) {
    timespec time{};
    return clock_gettime(clock, &time) == 0 ? int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec : 0;
}

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(in), {}};
}

/// One case by its number alone. Exceptions that the emulator should not let out end the process.
void one(Shared& shared, uint64_t index, const std::string& text, fuzz::Random& random) {
    size_t size = std::min(text.size(), sizeof shared.text);
    std::memcpy(shared.text, text.data(), size);
    shared.next = index;
    shared.begin = now();
    shared.begin_cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    shared.size = size;
    try {
        fuzz::run_case(text, random, shared.tally);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "uncaught: %s\n", error.what());
        std::fflush(stderr);
        _exit(3);
    }
    shared.size = 0;
}

[[noreturn]] void child(Shared& shared, const Settings& settings, const std::vector<fuzz::Sample>& corpus,
                        const fs::path& log) {
    int file = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file >= 0) dup2(file, 2);
    for (uint64_t i = shared.next; i < settings.first + settings.cases; ++i) {
        fuzz::Random random(settings.seed, i), arguments(~settings.seed, i);
        one(shared, i, fuzz::mutate(corpus, random), arguments);
    }
    shared.next = settings.first + settings.cases;
    _exit(0);
}

void report(const Shared& shared, const Settings& settings, double elapsed) {
    static constexpr const char* names[] = {"race", "uninitialized", "out_of_bounds", "misaligned", "async_before_wait",
                                            "missing_proxy_fence", "mbarrier_misuse", "barrier_divergence", "deadlock",
                                            "trap", "step_limit"};
    auto& t = shared.tally;
    auto share = [&](uint64_t n) {
        return t.cases ? 100.0 * static_cast<double>(n) / static_cast<double>(t.cases) : 0.0;
    };
    std::printf(
        "%llu of %llu cases, %.0f a second; parsed %.0f%%, decoded %.0f%%; %llu launches, %llu without a finding, "
        "%llu refused, %llu too large;",
        static_cast<unsigned long long>(t.cases), static_cast<unsigned long long>(settings.cases),
        static_cast<double>(t.cases) / std::max(elapsed, 1e-9), share(t.parsed), share(t.decoded),
        static_cast<unsigned long long>(t.launches), static_cast<unsigned long long>(t.clean),
        static_cast<unsigned long long>(t.refused_launches), static_cast<unsigned long long>(t.skipped));
    for (size_t i = 0; i < std::size(names); ++i) {
        if (t.kinds[i]) std::printf(" %s %llu", names[i], static_cast<unsigned long long>(t.kinds[i]));
    }
    std::printf("\n");
    std::fflush(stdout);
}

void save(const Shared& shared, const Settings& settings, const fs::path& log, const std::string& why) {
    fs::create_directories(settings.failures);
    auto stem = settings.failures / ("case-" + std::to_string(settings.seed) + "-" + std::to_string(shared.next));
    std::ofstream(stem.string() + ".ptx", std::ios::binary)
        .write(shared.text, static_cast<std::streamsize>(shared.size.load()));
    std::error_code ignored;  // a child that said nothing left an empty log, or none
    fs::copy_file(log, stem.string() + ".log", fs::copy_options::overwrite_existing, ignored);
    std::ofstream(stem.string() + ".log", std::ios::app) << why << "\n";
    std::printf("FAILED case %llu: %s; see %s.ptx and .log\n", static_cast<unsigned long long>(shared.next.load()),
                why.c_str(), stem.c_str());
    std::fflush(stdout);
}

int campaign(const Settings& settings) {
    auto corpus = fuzz::load(settings.corpus);
    if (corpus.empty()) {
        std::fprintf(stderr, "no kernels in %s\n", settings.corpus.c_str());
        return 2;
    }
    std::printf("%zu kernels, seed %llu\n", corpus.size(), static_cast<unsigned long long>(settings.seed));
    std::fflush(stdout);
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no memory to share");
    auto& shared = *new (memory) Shared{};
    shared.next = settings.first;
    auto log = fs::temp_directory_path() / ("emulator_fuzz_" + std::to_string(getpid()) + ".log");
    auto start = Clock::now();
    auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    double shown = 0;
    uint64_t failures = 0;
    while (shared.next < settings.first + settings.cases && failures < settings.stop) {
        pid_t pid = fork();
        if (pid < 0) throw std::runtime_error("cannot fork");
        if (pid == 0) child(shared, settings, corpus, log);
        int status = 0;
        bool slow = false;
        while (waitpid(pid, &status, WNOHANG) == 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            // A busy machine makes every case slow; one that only waits uses no processor.
            clockid_t cpu{};
            bool known = clock_getcpuclockid(pid, &cpu) == 0;
            auto limit = static_cast<int64_t>(settings.seconds * 1e9);
            bool late = now() - shared.begin > 10 * limit || (known && now(cpu) - shared.begin_cpu > limit);
            if (shared.size != 0 && !slow && late) {
                slow = true;
                kill(pid, SIGKILL);
            }
            if (elapsed() - shown > 15) {
                shown = elapsed();
                report(shared, settings, shown);
            }
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
        ++failures;
        save(shared, settings, log,
             slow                  ? "took longer than " + std::to_string(settings.seconds) + " s of the processor"
             : WIFSIGNALED(status) ? "ended by signal " + std::to_string(WTERMSIG(status))
                                   : "ended with status " + std::to_string(WEXITSTATUS(status)));
        shared.size = 0;
        shared.next = shared.next + 1;
    }
    report(shared, settings, elapsed());
    std::error_code ignored;
    fs::remove(log, ignored);
    std::printf(failures ? "%llu failures in %.0f s\n" : "no failure (%llu) in %.0f s\n",
                static_cast<unsigned long long>(failures), elapsed());
    return failures ? 1 : 0;
}

int run_file(const Settings& settings) {
    fuzz::Tally tally;
    fuzz::Random arguments(~settings.seed, settings.first);
    fuzz::run_case(read(settings.run), arguments, tally);
    std::printf("parsed %llu, decoded %llu, %llu launches with %llu findings\n",
                static_cast<unsigned long long>(tally.parsed), static_cast<unsigned long long>(tally.decoded),
                static_cast<unsigned long long>(tally.launches), static_cast<unsigned long long>(tally.findings));
    return 0;
}

bool read_settings(int count, char** words, Settings& settings) {
    for (int i = 1; i < count; ++i) {
        std::string word = words[i];
        if (word.rfind("--", 0) != 0) {
            settings.corpus = word;
            continue;
        }
        if (++i == count) return false;
        std::string value = words[i];
        if (word == "--cases") settings.cases = std::stoull(value);
        else if (word == "--seed") settings.seed = std::stoull(value);
        else if (word == "--first") settings.first = std::stoull(value);
        else if (word == "--seconds") settings.seconds = std::stod(value);
        else if (word == "--stop") settings.stop = std::stoull(value);
        else if (word == "--failures") settings.failures = value;
        else if (word == "--run") settings.run = value;
        else return false;
    }
    return settings.corpus.empty() != settings.run.empty();
}

}  // namespace

// How the sanitizers go about it: cases are many and short-lived, so little is kept of what was freed.
extern "C" const char* __asan_default_options() {
    return "quarantine_size_mb=8:malloc_context_size=8:detect_stack_use_after_return=0";
}
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }

int main(int count, char** words) {
    Settings settings;
    try {
        if (!read_settings(count, words, settings)) {
            std::fprintf(
                stderr,
                "usage: %s CORPUS [--cases N] [--seed S] [--first I] [--seconds T] [--failures DIR] [--stop K]\n"
                "       %s --run FILE [--seed S] [--first I]\n",
                words[0], words[0]);
            return 2;
        }
        return settings.run.empty() ? campaign(settings) : run_file(settings);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
