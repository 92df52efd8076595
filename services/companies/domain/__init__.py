"""Companies and what is theirs, and the rules about them: what can go wrong, what holds."""
