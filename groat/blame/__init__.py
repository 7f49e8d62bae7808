"""Names the part that a bad answer comes from, and proves it by asking again with one thing changed."""
