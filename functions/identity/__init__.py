"""Who may sign in, as whom, and the tokens that say so."""
