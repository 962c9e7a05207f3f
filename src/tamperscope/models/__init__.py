"""Networks and their weights; no files but weights."""
