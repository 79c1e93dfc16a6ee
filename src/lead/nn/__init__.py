"""Networks: backbone with its hypercolumn, feature pyramid, projection heads, landmark heads."""
