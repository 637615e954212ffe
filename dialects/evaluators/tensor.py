"""Not written."""
