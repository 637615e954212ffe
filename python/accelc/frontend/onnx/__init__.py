"""The ONNX frontend: `load` reads and checks a model file, `import_onnx` turns it into `nn`."""

from __future__ import annotations

from accelc.frontend.onnx.importer import ImportedModel, Port, import_onnx
from accelc.frontend.onnx.load import LoadedModel, load
from accelc.frontend.onnx.values import NeedsConstantError

__all__ = ["ImportedModel", "LoadedModel", "NeedsConstantError", "Port", "import_onnx", "load"]
