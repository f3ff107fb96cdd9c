"""A scripted upstream that speaks the real protocol: the other side of the demo and of the tests."""
