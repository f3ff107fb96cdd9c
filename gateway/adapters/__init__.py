"""Adapters do: one library or one device each. No adapter imports another."""
