"""Commands for when something is wrong: the network, diagnostics, versions."""
