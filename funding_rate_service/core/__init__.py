"""Pure arithmetic of the service: no web framework, no SQL, no clock. Whatever time it is comes in as `now`."""
