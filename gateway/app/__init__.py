"""The app assembles: FastAPI application, routes, the relay and the server that carries them."""
