"""The world beside the database and gRPC: hashing, signing, mail, metrics, hints."""
