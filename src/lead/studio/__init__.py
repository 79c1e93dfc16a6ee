"""The local web page: label, be suggested to, review, explore, export."""
