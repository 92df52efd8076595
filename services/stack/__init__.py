"""The whole topology on one machine: PostgreSQL, NATS, the services and the gateway, supervised."""
