"""What was found out about environments while settings were looked for, for the page."""

__all__ = ["NOTES"]

NOTES: dict[str, str] = {
    "catch-12": "Half the sizes of the paper's task: a screen of 12 x 12, and a retina of three patches of 3 x 3 "
    "pixels that cover 3, 6 and 12 pixels of it, the last one all. Through a single patch of 3 x 3 (`--scales 1`) the "
    "same settings catch 61 % after 8 million frames (seed 100), and still get better.",
    "catch-24": "The paper's sizes: a screen of 24 x 24, three patches of 6 x 6 that cover 6, 12 and 24 pixels. Tuning "
    "led to PPO over hundreds of games at once with generalized advantages, and to a lesson for the core, which in "
    "training must also say where ball and paddle are (`notice`). Left out, on seed 100 alone, 4 million frames: with "
    "both 68.8 % are caught, without the lesson 38.9, without telling the baseline where they are (`informed`) 66.2. "
    "The third patch shows all of the screen, coarsely, so that a fixed eye catches most balls, too.",
}
"""By environment."""
