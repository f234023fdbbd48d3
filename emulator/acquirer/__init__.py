"""The acquirer: one ledger behind an ISO 8583 host and the provider's HTTPS calls."""
