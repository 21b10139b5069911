"""The cellar: errors, files, devices, checkpoints. Nothing here knows what a colour is."""
