"""A worker process: compiles kernels that the driver sends, one after another.

Run as ``python -m accelc._worker``. A frame is an 8-byte little-endian header length, an 8-byte payload length, a JSON
header and the payload. Requests: ``{"target", "machine", "options"}`` with the kernel's MLIR text as payload; answers:
``{"ok": true, "symbol", "meta"}`` with code, or ``{"ok": false, "error", "message", ...}``.

Kernels are compiled here and not in the user's process, so that a crash in the bindings costs one worker, and two
cores are used.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any, BinaryIO

HEADER = struct.Struct("<QQ")


def write_frame(stream: BinaryIO, header: dict[str, Any], payload: bytes = b"") -> None:
    """Writes one frame and flushes."""
    text = json.dumps(header).encode()
    stream.write(HEADER.pack(len(text), len(payload)) + text + payload)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Reads one frame; None at the end of the stream, also when it ends inside a frame."""
    head = stream.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    n_header, n_payload = HEADER.unpack(head)
    text = stream.read(n_header)
    payload = stream.read(n_payload)
    if len(text) < n_header or len(payload) < n_payload:
        return None
    return json.loads(text), payload


def _public(kind: type) -> str:
    """The name of the nearest class of `accelc.core.diagnostics`, which the other side knows."""
    return next(c.__name__ for c in kind.__mro__ if c.__module__ == "accelc.core.diagnostics")


def _answer(request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    from accelc.core.diagnostics import Error
    from accelc.kernel_compiler import compile_kernel

    try:
        code = compile_kernel(payload.decode(), request["target"], request["machine"], request["options"])
    except Error as error:
        return {
            "ok": False,
            "error": _public(type(error)),
            "message": error.message,
            "node": error.node,
            "notes": list(error.notes),
            "reproducer": getattr(error, "reproducer", None),
        }, b""
    return {"ok": True, "symbol": code.symbol, "meta": dict(code.meta)}, code.data


def main() -> None:
    """Serves requests on the original stdin and stdout until stdin closes."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever the bindings print must not end up between frames.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    while (frame := read_frame(requests)) is not None:
        request, payload = frame
        if request.get("op") == "warm":
            from accelc.kernel_compiler import warm

            warm(request["target"])
            continue
        write_frame(answers, *_answer(request, payload))


if __name__ == "__main__":
    main()
