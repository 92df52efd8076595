"""Companies, the tenants of the platform, and their vehicles."""
