"""What callers may do. Services take the principal first; they never see a request, a response or SQL."""
