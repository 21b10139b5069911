"""Which of the paper's claims stand: what was fixed before, what runs show, by which rule."""
