"""What is handed over on paper: a receipt or a submission slip as text, as PDF, and the
QR code on it. Words come in the reader's language from whoever asks."""
