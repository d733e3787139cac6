"""Telling people: messages about what happens, by e-mail, SMS and push."""
