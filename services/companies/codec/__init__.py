"""Companies and what is theirs between protobuf and the domain; pure functions."""
