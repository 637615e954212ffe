"""What every layer stands on: diagnostics, contexts, passes, pipelines, machines, the constant store, artifacts."""
