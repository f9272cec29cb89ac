"""Where datasets come from: one module per kind of source, each handing over a `Material`."""
