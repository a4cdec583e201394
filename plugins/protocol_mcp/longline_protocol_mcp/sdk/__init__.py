"""Everything that knows the SDK. Nothing outside of this package imports it."""
