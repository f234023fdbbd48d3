"""THE ORDER: what field and office share. States, events, effects, order files."""
