"""The operator's verbs, a file a noun."""
