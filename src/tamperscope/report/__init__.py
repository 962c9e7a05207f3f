"""findings.json, evidence pictures and one self-contained HTML page."""
