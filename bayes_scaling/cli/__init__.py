"""The command line; the one room that knows laws and studies by name."""
