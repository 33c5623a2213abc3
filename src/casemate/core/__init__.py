"""The nouns of casemate: frozen values, digests and errors; standard library only, no input or output."""
