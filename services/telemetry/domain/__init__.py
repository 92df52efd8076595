"""What telemetry knows: devices, batches, columns of readings, and what can go wrong with them."""
