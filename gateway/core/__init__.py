"""The core decides: pure functions and frozen records. No I/O, no clock, no async."""
