"""Documents -> figures -> panels -> detectors -> findings: one pipeline."""
