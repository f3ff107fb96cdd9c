"""A scripted upstream that speaks the real protocol, for the demo and the tests."""
