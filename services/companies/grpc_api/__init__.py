"""The gRPC services: each method decodes a call, runs its use case, encodes the outcome."""
