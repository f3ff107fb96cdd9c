"""What a request and an event cost, measured: `python -m bench`. Linux only; loopback only."""
