"""`func`: calls."""

from __future__ import annotations

from typing import Any

from accelc.dialects.interpreter import Call, Code, evaluator


@evaluator("func.call")
def call(op: Any, code: Code) -> Call:
    """Calls a function of the module."""
    path = (op.attributes["callee"].value,)
    session, single = code.session, len(op.results) == 1

    def invoke(*operands: Any) -> Any:
        results = session.call(path, operands)
        return results[0] if single else results

    return invoke
