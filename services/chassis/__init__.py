"""The run-time that every service stands on: nothing in here knows what a company or a vehicle is."""
