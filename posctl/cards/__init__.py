"""Cards: finding the reader, reading the card, deciding whether it will do."""
