"""Policies that know the goal, trained for the learners to imitate."""
