"""One file per job an analyst asks for: what is asked of the model, what comes back, what is checked."""
