"""A fleet of simulated boards that talk to the gateway as real ones do."""
