"""Records what a request does with its transaction, for developers: nothing else of the application imports it."""
