"""Expected errors for predictions of any tool, learnt from labels that it has not seen. No torch here."""
