"""Rules of English text: each kind of number, sign and short form in words."""
