"""Bad input through the command line: one clear message, the right exit code, no traceback, nothing half-written."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from accelc.tools import cli_common
from accelc.tools.accelc import app

WEIGHT = np.random.default_rng(0).normal(size=(16, 64)).astype(np.float32)
BAD_INPUT, UNSUPPORTED, INTERNAL, INTERRUPTED = 2, 3, 4, 130


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELC_REPRODUCER_DIR", str(tmp_path / "reproducers"))
    monkeypatch.setenv("ACCELC_WORKERS", "1")
    monkeypatch.chdir(tmp_path)


def info(name: str, shape: Sequence[int | str] | None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def proto(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    *domains: str,
) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(WEIGHT, "w")] if any("w" in n.input for n in nodes) else []
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def product(rows: int | str = 4, columns: int = 16) -> onnx.ModelProto:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="project")
    return proto([node], [info("x", [rows, columns])], [info("y", [rows, 64])])


def unary(op: str, shape: Sequence[int] = (4,), **options: Any) -> onnx.ModelProto:
    domains = [options["domain"]] if options.pop("imported", False) else []
    return proto([helper.make_node(op, ["x"], ["y"], name="node", **options)], [info("x", shape)],
                 [info("y", shape)], *domains)  # fmt: skip


def accelc(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(args))
    assert "Traceback" not in result.stdout + result.stderr
    return result.exit_code, result.stderr


def refused(code: int, message: str, *args: str) -> None:
    got, err = accelc(*args)
    assert got == code, err
    assert message in err
    assert len(err.splitlines()) <= 4, err


def external(name: str, **entries: str) -> str:
    """A model in the folder ``ext`` whose weights are in another file, as ``entries`` say."""
    Path("ext").mkdir(exist_ok=True)
    model = product()
    (tensor,) = model.graph.initializer
    Path("ext/w.bin").write_bytes(tensor.raw_data)
    Path("outside.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    Path("ext", name).write_bytes(model.SerializeToString())
    return f"ext/{name}"


# ---- models ----


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an ONNX model: it has no graph"),
        (b"hello\n" * 20, "not an ONNX model"),
        (bytes(range(256)), "not an ONNX model"),
        (product().SerializeToString()[:-1], "truncated"),
        (product().SerializeToString()[:50], "truncated"),
        (product().SerializeToString()[:1], "truncated"),
    ],
)
def test_files_that_hold_no_model(content: bytes, message: str) -> None:
    Path("m.onnx").write_bytes(content)
    for command in ("run", "compile", "check", "compare"):
        refused(BAD_INPUT, message, command, "m.onnx")
        refused(BAD_INPUT, "m.onnx", command, "m.onnx")


def test_what_is_no_file() -> None:
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    for path, message in (("pipe", "not a regular file"), (".", "is a folder"), ("loop", "does not exist")):
        for command in ("run", "compile", "inspect"):
            refused(BAD_INPUT, message, command, path)


@pytest.mark.parametrize(
    ("model", "code", "message"),
    [
        (unary("Frobnicate"), UNSUPPORTED, "node 'node': the op Frobnicate is unknown"),
        (unary("Frob", domain="com.acme", imported=True), UNSUPPORTED, "node 'node': the op com.acme::Frob"),
        (unary("Frob", domain="com.acme"), BAD_INPUT, "node 'node': com.acme::Frob is of a domain"),
        (product(columns=15), BAD_INPUT, "node 'project': cannot multiply tensor<4x15xf32> by tensor<16x64xf32>"),
        (unary("Softmax", axis=7), BAD_INPUT, "node 'node'"),
        (unary("Softmax", axis="one"), BAD_INPUT, "node 'node'"),
        (proto([], [], [info("y", [4])]), BAD_INPUT, "output 'y'"),
        (proto([helper.make_node("Relu", ["z"], ["y"], name="n")], [info("x", [4])], [info("y", [4])]),
         BAD_INPUT, "node 'n': Relu reads 'z'"),
        (proto([helper.make_node("Relu", ["x"], ["y"])], [info("x", [4])], [info("y", [5])]),
         BAD_INPUT, "output 'y' is declared tensor<5xf32>"),
        (proto([helper.make_node("Add", ["x", "z"], ["y"], name="n")],
               [info("x", [4]), info("z", [4], TensorProto.INT64)], [info("y", [4])]),
         BAD_INPUT, "node 'n': nn.add needs operands of one element type"),
    ],
)  # fmt: skip
def test_models_that_are_wrong(model: onnx.ModelProto, code: int, message: str) -> None:
    onnx.save(model, "m.onnx")
    refused(code, message, "run", "m.onnx")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "nope.bin"}, "'nope.bin', which cannot be read"),
        ({"location": "../outside.bin"}, "outside the model's folder"),
        ({"location": "link.bin"}, "outside the model's folder"),
        ({"location": "/etc/passwd"}, "outside the model's folder"),
        ({"location": ""}, "outside the model's folder"),
        ({"location": "a\0b"}, "impossible name"),
        ({"location": "."}, "cannot be read: Is a directory"),
        ({"location": "w.bin", "offset": "100000"}, "takes bytes 100000 to"),
        ({"location": "w.bin", "offset": "-1"}, "offset '-1'"),
        ({"location": "w.bin", "length": "3"}, "has 3 bytes of data"),
    ],
)
def test_external_data(entries: dict[str, str], message: str) -> None:
    path = external("m.onnx", **entries)
    Path("ext/link.bin").symlink_to("../outside.bin")
    refused(BAD_INPUT, "tensor 'w' ", "run", path)
    refused(BAD_INPUT, message, "run", path)


def test_sizes() -> None:
    onnx.save(product("batch"), "m.onnx")
    for command in ("run", "compile", "check", "compare"):
        refused(BAD_INPUT, "the size of 'batch' must be known to compile: input 'x' [batch, 16]", command, "m.onnx")
        refused(BAD_INPUT, "--dim batch=SIZE", command, "m.onnx")
    refused(BAD_INPUT, "has dynamic sizes", "run", "m.onnx", "--stage", "nn")
    refused(BAD_INPUT, "no dimension 'bach'", "run", "m.onnx", "--dim", "bach=3")
    refused(UNSUPPORTED, "of memory; the machine has", "run", "m.onnx", "--dim", f"batch={10**11}")
    refused(BAD_INPUT, "input 'x' has the shape", "run", "m.onnx", "--dim", f"batch={10**22}")


# Graphs that are unusual, but right.
EDGES = {
    "no nodes": proto([], [info("x", [4])], [info("x", [4])]),
    "input is an output": proto([helper.make_node("Relu", ["x"], ["y"])], [info("x", [4])],
                                [info("x", [4]), info("y", [4])]),
    "only a constant": proto([helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(WEIGHT))], [],
                             [info("y", [16, 64])]),
    "two names for a value": proto([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Identity", ["y"], ["z"])],
                                   [info("x", [4])], [info("y", [4]), info("z", [4])]),
    "no elements": product(0),
    "sum of nothing": proto([helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)], [info("x", [3, 0])],
                            [info("y", [])]),
    "scalar": unary("Relu", ()),
    "unused input": proto([helper.make_node("Relu", ["x"], ["y"])],
                          [info("x", [4]), info("unused", [7], TensorProto.INT64)], [info("y", [4])]),
}  # fmt: skip


@pytest.mark.parametrize("target", ["host", "sim_accel:edge"])
@pytest.mark.parametrize("name", EDGES)
def test_graphs_at_the_edge(name: str, target: str) -> None:
    onnx.save(EDGES[name], "m.onnx")
    assert accelc("run", "m.onnx", "-t", target, "--check", "--repeat", "0") == (0, "")


# ---- arrays ----


def archive(name: str, **members: bytes) -> str:
    with zipfile.ZipFile(name, "w") as z:
        for member, content in members.items():
            z.writestr(f"{member}.npy", content)
    return name


HUGE = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 16), }".ljust(
    118
)


def test_arrays_that_do_not_fit() -> None:
    onnx.save(product(), "m.onnx")
    x, y = np.ones((4, 16), np.float32), np.zeros((4, 64), np.float32)
    np.savez("object.npz", x=np.array([{}, 1], dtype=object))
    np.savez("text.npz", x=np.array(["a"]))
    np.savez("big_endian.npz", x=x.astype(">f4"))
    np.savez("x.npz", x=x)
    data = Path("x.npz").read_bytes()
    Path("flipped.npz").write_bytes(data[:150] + bytes([data[150] ^ 255]) + data[151:])
    Path("cut.npz").write_bytes(data[:-30])
    np.save("single.npy", x)
    archive("junk.npz", x=b"junk")
    archive("huge.npz", x=HUGE)
    for file, message in (
        ("object.npz", "cannot be read as .npz"),
        ("text.npz", "'x' is <U1, not float32"),
        ("big_endian.npz", "'x' is >f4, not float32"),
        ("flipped.npz", "cannot be read as .npz"),
        ("cut.npz", "is not an .npz file"),
        ("single.npy", "is not an .npz file"),
        ("junk.npz", "member 'x' is not an array"),
        ("huge.npz", "holds an array that memory cannot"),
        (".", "is a folder"),
    ):
        refused(BAD_INPUT, message, "run", "m.onnx", "--inputs", file)
    for expected, message in (
        ({}, "'y' is missing"),
        ({"z": y}, "'z' is not one of the model's"),
        ({"y": y[:2]}, "'y' has shape [2, 64]"),
        ({"y": y.astype(np.float64)}, "'y' is float64"),
    ):
        np.savez("y.npz", **expected)  # type: ignore[arg-type]
        refused(BAD_INPUT, message, "run", "m.onnx", "--expect", "y.npz")


# ---- machines and options ----


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n[[levels]]", "\nfrobs = 3\n[[levels]]", "frobs: unknown key"),
        ("25.6 GB/s", "25.6", 'levels[0].bandwidth: "25.6" has no unit'),
        ("25.6 GB/s", "-25.6 GB/s", "levels[0].bandwidth: '-25.6 GB/s' is impossible"),
        ("25.6 GB/s", "25.6 parsec", 'levels[0].bandwidth: "parsec" is not a unit'),
        ("256 KiB", "0 KiB", "levels[1].capacity: '0 KiB' is impossible"),
        ('clock = "1 GHz"', "clock = 1", "mine.toml:9: clock: 1 has no unit"),
        ("schema = 1", "schema = 9", "schema"),
        ("[sim_accel]", "[simaccel]", "names its backend"),
        ("schema = 1", "][", "not valid TOML"),
    ],
)
def test_machine_files(old: str, new: str, message: str, root: Path) -> None:
    onnx.save(product(), "m.onnx")
    text = (root / "targets/sim_accel/machines/edge.toml").read_text()
    assert old in text
    Path("mine.toml").write_text(text.replace(old, new))
    code, err = accelc("run", "m.onnx", "-t", "mine.toml")
    assert code == BAD_INPUT, err
    assert message in err
    assert "mine.toml" in err
    assert len(err.splitlines()) == 1, err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-t", "tpu"], "there is no target 'tpu'"),
        (["-t", "sim_accel:nope"], "sim_accel has no machine 'nope'"),
        (["-t", "nope.toml"], "nope.toml"),
        (["-t", ":"], "there is no target ''"),
        (["--precision", "bogus"], "has no precision 'bogus'"),
        (["-t", "sim_accel:edge", "--precision", "f8"], "has no precision 'f8'"),
        (["--threads", "100000"], "threads must be 1 to"),
        (["--stage", "nope"], "there is no stage 'nope'"),
    ],
)
def test_options(args: list[str], message: str) -> None:
    onnx.save(product(), "m.onnx")
    refused(BAD_INPUT, message, "run", "m.onnx", *args)


# ---- artifacts ----


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("artifact")
    onnx.save(product(), folder / "m.onnx")
    assert accelc("compile", str(folder / "m.onnx"), "-o", str(folder / "m.accelc")) == (0, "")
    return (folder / "m.accelc").read_bytes()


def test_damaged_artifacts(artifact: bytes) -> None:
    size = len(artifact)
    damaged = [artifact[:n] for n in (4, 10, size // 2, size - 1)]
    # A bit of each member, of the directory and of the end. (Padding may change: nothing reads it.)
    with zipfile.ZipFile(io.BytesIO(artifact)) as z:
        places = [artifact.index(z.read(info)) + info.file_size // 2 for info in z.infolist() if info.file_size]
        places += [z.start_dir + 2, size - 3]
    damaged += [artifact[:at] + bytes([artifact[at] ^ (1 << at % 8)]) + artifact[at + 1 :] for at in places]
    damaged += [artifact + b"x", b"PK\x03\x04" + bytes(100), artifact.replace(b"artifact 1 ", b"artifact 2 ")]
    for i, content in enumerate(damaged):
        path = Path(f"{i}.accelc")
        path.write_bytes(content)
        refused(BAD_INPUT, path.name, "run", str(path))
    refused(BAD_INPUT, "its format is version 2; this accelc reads version 1", "run", str(path))
    for command in ("compile", "check", "compare"):
        refused(BAD_INPUT, "is an artifact, which is compiled already", command, str(path))


# ---- disks that are full, and processes that die ----


def limited(limit: int) -> Callable[[], None]:
    """Makes a process unable to write files of more than ``limit`` bytes, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def process(*args: str, limit: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "accelc.tools.accelc", *args],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        preexec_fn=limited(limit) if limit is not None else None,
    )


def test_a_full_disk(tmp_path: Path) -> None:
    onnx.save(product(), "m.onnx")
    out = tmp_path / "out"
    out.mkdir()
    for limit, cache in ((0, "0"), (2000, "1")):
        done = process("compile", "m.onnx", "-o", "out/m.accelc", limit=limit, ACCELC_CACHE=cache)
        assert done.returncode == BAD_INPUT
        assert done.stderr == "accelc: error: cannot write 'out/m.accelc': File too large\n"
        assert not list(out.iterdir())
    done = process("run", "m.onnx", "-o", "out/y.npz", limit=100)
    assert (done.returncode, list(out.iterdir())) == (BAD_INPUT, [])
    assert "cannot write 'out/y.npz'" in done.stderr
    # A cache that takes nothing is no reason to fail.
    done = process("run", "m.onnx", limit=0, ACCELC_CACHE_DIR=str(tmp_path / "cache"))
    assert (done.returncode, done.stderr) == (0, "")


def test_output_that_cannot_be_written() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "accelc.tools.accelc", "targets", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == BAD_INPUT
    assert done.stderr == "accelc: error: cannot write the output: No space left on device\n"


def test_no_memory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def greedy() -> int:
        return len(np.zeros(1 << 50))

    assert cli_common.guarded(greedy) == UNSUPPORTED
    assert "needs more memory than there is" in capsys.readouterr().err


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[str], list[int]]]]:
    """Starts a compilation that takes long; gives the process and its workers once they compile."""
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], list[int]]:
        nodes, shape = [], [1, 8, 8, 8]
        for i in range(60):  # convolutions that all differ
            kernel = helper.make_node("Constant", [], [f"w{i}"], value=numpy_helper.from_array(
                np.ones((8 + i + 1, 8 + i, 1 + i % 3, 1 + i % 5), np.float32)))  # fmt: skip
            nodes += [kernel, helper.make_node("Conv", [f"x{i}", f"w{i}"], [f"x{i + 1}"], auto_pad="SAME_UPPER")]
        onnx.save(proto(nodes, [info("x0", shape)], [info("x60", [1, 68, 8, 8])]), "m.onnx")
        command = [sys.executable, "-m", "accelc.tools.accelc", "compile", "m.onnx", "-o", "m.accelc"]
        environment = os.environ | {"ACCELC_CACHE": "0"}
        # A shell starts what runs in the background with SIGINT ignored, and tests may run so.
        heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heed))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (workers := children(started[-1].pid)):
            time.sleep(0.01)
        return started[-1], workers

    yield start
    for process in started:
        process.kill()
        process.wait()


def alive(pid: int) -> bool:
    """Whether a process runs: one that ended, and that nobody has asked after, does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def test_a_worker_that_is_killed(running: Any, tmp_path: Path) -> None:
    process, workers = running()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == INTERNAL, err
    assert "internal error: node 'Conv_" in err
    assert "a compiler process ended unexpectedly (by SIGKILL)" in err
    assert "Traceback" not in err
    (reproducer,) = (tmp_path / "reproducers").iterdir()
    assert f"reproducer: {reproducer}" in err
    assert reproducer.read_text().startswith("// accelc-opt --target host:native")
    assert not list(tmp_path.glob("*.accelc"))


def test_ctrl_c(running: Any, tmp_path: Path) -> None:
    process, workers = running()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == INTERRUPTED, err
    assert "Traceback" not in err
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, workers))
    assert not list(tmp_path.glob("*.accelc*"))
