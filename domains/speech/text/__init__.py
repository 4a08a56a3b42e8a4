"""Text front end: from written text to phonetic sentences and token ids."""
