"""Commands of the appliance: its network, its firewall, its console."""
