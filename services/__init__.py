"""The DashTrack services and what they share."""
