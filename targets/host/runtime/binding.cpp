// Python's face of the host runtime: `accelc.targets.host._host`.

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include "program.h"

namespace nb = nanobind;
using accelc::host::Kernel;
using accelc::host::Program;

NB_MODULE(_host, m) {
  m.doc() = "The host's runtime core: tables of kernel calls, run by a pool of threads.";
  nb::class_<Program>(m, "Program", "A table of steps over a table of buffers, run by `threads` threads.")
      .def(nb::init<int, std::size_t>(), nb::arg("threads"), nb::arg("buffers"))
      .def(
          "add_step",
          [](Program& self, std::uintptr_t kernel, std::int64_t tiles, const std::vector<std::uint32_t>& buffers) {
            for (auto b : buffers)
              if (b >= self.buffers()) throw nb::index_error("no such buffer");
            self.add_step(reinterpret_cast<Kernel>(kernel), tiles, buffers);
          },
          nb::arg("kernel"), nb::arg("tiles"), nb::arg("buffers"),
          "Adds a call of the kernel at an address with these buffers (and the thread's workspace after them).")
      .def(
          "add_copy",
          [](Program& self, std::uint32_t source, std::uint32_t destination, std::uint32_t size) {
            self.add_step(accelc::host::copy_bytes, 1, {source, destination, size});
          },
          nb::arg("source"), nb::arg("destination"), nb::arg("size"),
          "Adds a copy between buffers; `size` is a buffer whose address is the number of bytes.")
      .def(
          "bind",
          [](Program& self, std::size_t buffer, std::uintptr_t address) {
            self.bind(buffer, reinterpret_cast<void*>(address));
          },
          nb::arg("buffer"), nb::arg("address"), "Says where a buffer is.")
      .def(
          "bind_workspace",
          [](Program& self, int thread, std::uintptr_t address) {
            self.bind_workspace(thread, reinterpret_cast<void*>(address));
          },
          nb::arg("thread"), nb::arg("address"), "Says where a thread's workspace is.")
      .def(
          "run", [](Program& self) { self.run(); }, nb::call_guard<nb::gil_scoped_release>(), "Runs all steps.")
      .def(
          "run_timed",
          [](Program& self) {
            std::vector<double> seconds(self.steps());
            {
              nb::gil_scoped_release release;
              self.run(seconds.data());
            }
            return seconds;
          },
          "Runs all steps; returns the seconds that each one took.")
      .def_prop_ro("steps", &Program::steps, "How many steps there are.")
      .def_prop_ro("threads", &Program::threads, "How many threads run them.");
}
