"""A language model behind one small port, and the prompts' fence."""
