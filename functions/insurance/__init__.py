"""Who else pays: coverages of patients, what their insurers say of them, and claims."""
