"""What every domain of HMS shares, and nothing that a single domain needs."""
