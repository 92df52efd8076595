"""The pipeline that every RPC runs through, wrapped once around each method at start."""
