"""The admin API, `/admin/v1`: what the command line does, over HTTP, for whoever holds a token."""
