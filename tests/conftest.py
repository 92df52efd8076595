"""The plugins that start real programs for the tests."""

pytest_plugins = ["tests.fixtures.nats", "tests.fixtures.postgres"]
