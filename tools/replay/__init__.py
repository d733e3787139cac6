"""Events told again: from dead letters, from their owners' tables, into a read model."""
