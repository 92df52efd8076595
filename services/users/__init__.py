"""People: who they are, which company they belong to and what they may do."""
