"""What people read: messages, failures, and their translations."""
