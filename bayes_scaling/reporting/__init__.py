"""Results on the screen, in a folder of files, and on one HTML page."""
