"""The only SQL of casemate: cases, texts, readings, reviews and the stored audit chain."""
