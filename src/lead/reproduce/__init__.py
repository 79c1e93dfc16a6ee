"""The paper's tables and figures, and its peers under the same protocol, one name each."""
