"""``accelc targets``."""

from __future__ import annotations

from typing import Any

from accelc.core.diagnostics import Error
from accelc.tools.cli_common import console, print_json, table


def list_targets(*, as_json: bool) -> int:
    """Lists the targets, their machines and precisions."""
    found = describe_targets()
    if as_json:
        print_json(found)
        return 0
    t = table("target", "machine", "", "precision (default first)", "what it does here")
    for target in found:
        for i, machine in enumerate(target["machines"]):
            default = " *" if machine["name"] == target["default_machine"] else ""
            t.add_row(
                target["name"] if i == 0 else "",
                machine["name"] + default,
                machine["summary"],
                ", ".join(machine["precisions"]),
                _abilities(target) if i == 0 else "",
            )
        if target.get("error"):
            t.add_row(target["name"], "", target["error"], "", "not available")
    console().print(t)
    console().print("* the default. A machine may also be the path of a .toml file: docs/add_a_machine.md")
    return 0


def _abilities(target: dict[str, Any]) -> str:
    runs = "compiles, runs by emulation (--emulate)" if target.get("emulated") else "compiles and runs"
    return ", ".join(what for what, able in ((runs, target["runs"]), ("costs", target["costs"])) if able)


def describe_targets() -> list[dict[str, Any]]:
    """All targets as JSON values. One that cannot be loaded says why and does not hide the others."""
    from accelc.core.target import load_target, target_names
    from accelc.targets import TARGETS

    result: list[dict[str, Any]] = []
    for name in target_names(TARGETS):
        try:
            result.append(_describe(load_target(name, TARGETS)))
        except (Error, ImportError) as error:
            reason = str(error).splitlines()[0]
            result.append({"name": name, "summary": "", "machines": [], "runs": False, "costs": False, "error": reason})
    return result


def _describe(target: Any) -> dict[str, Any]:
    machines = []
    for name, summary in target.machines().items():
        machine = target.load_machine(name)
        default = target.default_precision(machine)
        others = [p for p in target.precisions(machine) if p != default]
        machines.append({"name": name, "summary": summary, "precisions": [default, *others]})
    return {
        "name": target.name,
        "summary": target.summary,
        "default_machine": target.default_machine,
        "machines": machines,
        "runs": target.emit is not None,
        "emulated": "emulate" in target.executor_options,
        "costs": target.cost is not None,
    }
