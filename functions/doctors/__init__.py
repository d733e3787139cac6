"""Doctors: who they are, where they belong, and when they see patients."""
