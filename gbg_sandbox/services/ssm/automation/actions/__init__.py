"""The actions a step can take: each a function from resolved inputs to outputs."""
