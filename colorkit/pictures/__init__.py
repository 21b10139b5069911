"""Your own pictures: read, coloured, written with all they carry."""
