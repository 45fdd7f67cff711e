"""The paper's tables and figures: what was published, and reports of what was measured."""
