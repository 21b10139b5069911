"""The cellar: errors, files, devices, pictures, notebooks. Of the core it knows color.py alone."""
