"""Commands that set the appliance up: configuration and certificates."""
