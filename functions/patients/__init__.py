"""The people the hospital cares for: who they are, how they are reached and found."""
