"""The configuration: what may be set (`settings`), from where (`sources`), and secrets in files."""
